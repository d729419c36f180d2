import Foundation
import TestSupport
import Testing

@testable import hero

/// Every flag of every command has an effect, and a flag without one is refused.
@Suite(.ownThreads) struct FlagTests {
  /// Every property that a flag fills is used outside its declaration.
  @Test func everyFlagIsRead() throws {
    let folder = SharedData.repository.appendingPathComponent("Sources/hero/Commands")
    let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    var texts: [String: String] = [:]
    for name in names where name.hasSuffix(".swift") {
      texts[name] = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    }
    var count = 0
    for (name, text) in texts {
      let declared = text.matches(of: #/@(?:Option|Flag|Argument|OptionGroup)\b[^@]*?\n?\s*var (\w+)/#)
      for property in declared.map({ String($0.1) }) {
        count += 1
        // Other files may read groups of flags and parts of the demo.
        let use = try Regex("(^|[^-\"\\w])\(property)(?![\\w:])")
        let isUsed = texts.values.contains { text in
          text.split(separator: "\n").contains { line in
            !line.trimmingCharacters(in: .whitespaces).hasPrefix("//") && !line.contains("var \(property)")
              && line.contains(use)
          }
        }
        #expect(isUsed, "\(name): \(property)")
      }
    }
    #expect(count > 80)
  }

  /// Command lines that are refused, each with a name that its message contains.
  private static let refused: [(words: String, named: String)] = [
    ("eval --query-txt-db a --output-dir b --batch-size 0", "--batch-size"),
    ("eval --query-txt-db a --output-dir b --split a/b", "--split"),
    ("eval --query-txt-db a --output-dir b --task pretrain", "pretrain"),
    ("eval --predictions a --references b --checkpoint 5", "--checkpoint"),
    ("eval --predictions a --references b --query-txt-db c", "--query-txt-db"),
    ("eval --predictions a --references b --output-dir c", "--output-dir"),
    ("eval --predictions a --references b --batch-size 3", "--batch-size"),
    ("eval --predictions a --references b --device cpu", "--device"),
    ("eval --predictions a --references b --precision bf16", "--precision"),
    ("eval --predictions a --references b --profile c", "--profile"),
    ("eval --predictions a --references b --nms-thd 0.5", "--nms-thd"),
    ("eval --predictions a", "--references"),
    ("eval --query-txt-db a --output-dir b --submission-form value", "--submission"),
    ("eval --predictions a --references b --submission-form value", "--submission-form"),
    ("eval --predictions a --references b --submission ./a", "--predictions"),
    ("eval --predictions a --references b --overwrite", "--overwrite"),
    ("eval --query-txt-db a --output-dir b --submission c --save-logits ./c", "--save-logits"),
    ("eval --query-txt-db a --output-dir b --save-logits c --profile c", "--profile"),
    ("eval --query-txt-db a --ensemble b ./b", "twice"),
    ("eval --query-txt-db a --output-dir b --batch-size 9000000000", "--batch-size"),
    ("caption --model-dir a --target-clip b --output ./b --overwrite", "--target-clip"),
    ("create-txtdb --task tvr --annotation a --output b --tokenizer c --encoding CP1251", "--encoding"),
    ("finetune --task tvr --beam 3", "'hero caption'"), ("finetune --task tvr --submission a", "'hero eval'"),
    ("export --output-dir a --nms-thd 1", "'hero finetune'"),
    (
      "convert-videodb --feature-dir a --output b --dataset c --frame-length 2 --resnet d",
      "'hero extract-features'"
    ),
    ("fine-tune --task tvr", "'finetune'"), ("help nothing", "'nothing'"), ("nothing", "'nothing'"),
    ("gpu-check --gpu -1", "--gpu must be 0 or more"),
    ("convert-videodb --feature-dir a --output b --dataset c --frame-length 2 --nproc 1000000000", "1024"),
    ("extract-features a --output b --resnet c --jobs 1000000000", "1024"),
    ("index --model-dir a --videos b c --output d", "--videos takes one folder, b, and c is another"),
    ("search --index a --rows-read -5 query", "--rows-read must be at least 1"),
    ("finetune --task tvr --learning-rate 0x10", "0x10"), ("finetune --task tvr --grad-norm 1e-50", "1e-50"),
    ("finetune --task tvr --dropout 0.99999999999", "0.99999999999"),
    ("finetune --task tvr --betas 0.9 0.99999999999", "0.99999999999"),
    ("finetune --task tvr --q2c-alpha 1e300", "at most 3.4e38"),
    ("finetune --task tvr --moments-precision int8", "one of fp32, bf16"),
    ("bench encode --batch a --moments-precision bf16", "--moments-precision"),
    ("bench finetune --batch a --moments-precision bf16 --record b", "--record"),
    ("bench --table a --moments-precision bf16", "--table"),
    ("caption --model-dir a --target-clip b --output c --json", "--json"),
    ("caption --model-dir a --target-clip b --output c --meteor-data d", "--meteor-data"),
    ("caption --model-dir a --target-clip b --output c --beam 0", "--beam"),
    ("caption --model-dir a --target-clip b --output c --length-penalty 2", "--length-penalty"),
    ("caption --model-dir a --target-clip b --output c --beam 2 --length-penalty nan", "--length-penalty"),
    ("caption --model-dir a --target-clip b --output c --batch-size -1", "--batch-size"),
    ("caption --model-dir a --target-clip b --output c --max_gen_step 0", "--max-gen-step"),
    ("search --index a --json --m3u query", "--m3u"), ("search --index a --edl --m3u query", "--edl"),
    ("search --index a --limit 0 query", "--limit"),
    ("search --index a --interactive query", "--interactive"),
    ("index --output a --model-dir b --vfeat-db c --resnet d", "--resnet"),
    ("index --output a --model-dir b --vfeat-db c --slowfast d", "--slowfast"),
    ("index --output a --model-dir b --vfeat-db c --videos d", "--videos"),
    ("index --output a --model-dir b --videos c --sub-txt-db d", "--sub-txt-db"),
    ("index --output a --check --model-dir b", "--model-dir"),
    ("index --output a --check --batch-size 3", "--batch-size"),
    ("index --output a --check --max-clip-len 3", "--max-clip-len"),
    ("create-txtdb --task tvr --annotation a --output b --tokenizer c --vid2nframe d", "--vid2nframe"),
    ("create-txtdb --task tvr --annotation a --output b --tokenizer c --vfeat-db d", "--vfeat-db"),
    ("create-txtdb --task tvr --annotation a --output b --tokenizer c --frame-length 2", "--frame-length"),
    ("create-txtdb --task tvr --annotation a --output b --tokenizer c --subtitles d", "--subtitles"),
    ("create-txtdb --annotation a --output b --tokenizer c --nframe_group 3", "--nframe-group"),
    (
      "create-txtdb --task subtitles --annotation a --output b --tokenizer c --vfeat-db d --nframe-group -1",
      "--nframe-group"
    ),
    ("create-txtdb --task tvr --annotation a --output b --tokenizer c --clip-interval 3", "--clip-interval"),
    ("create-txtdb --task tvr --annotation a --output b --tokenizer c --split val", "--split"),
    (
      "create-txtdb --task tvc --annotation a --output b --tokenizer c --subtitles d --vid2dur-idx e",
      "--vid2dur-idx"
    ),
    ("convert-videodb --feature-dir a --output b --dataset c --frame-length nan", "--frame-length"),
    ("convert-videodb --feature-dir a --output b --dataset c --frame-length 0x2", "'0x2' is invalid"),
    ("convert-videodb --feature-dir a --output b --dataset c --frame-length 1,5", "'1,5' is invalid"),
    ("convert-videodb --feature-dir a --output b --dataset c --frame-length 1e-9", "from 0.001 to 86400"),
    ("convert-videodb --feature-dir a --output b --dataset c --frame-length 1500000", "from 0.001 to 86400"),
    (
      "convert-videodb --feature-dir a --output b --dataset c --frame-length 2 --clip-interval 0x3C",
      "'0x3C' is invalid"
    ),
    (
      "create-txtdb --task subtitles --annotation a --output b --tokenizer c --vfeat-db d --frame-length 0x2",
      "'0x2' is invalid"
    ),
    (
      "create-txtdb --task subtitles --annotation a --output b --tokenizer c --vfeat-db d --frame-length 0",
      "from 0.001 to 86400"
    ),
    ("caption --model-dir a --target-clip b --output c --beam 2 --length-penalty 0x1", "'0x1' is invalid"),
    ("extract-features a --output b --resnet c --frame-length 0x2", "not 0x2"),
    ("index --output a --videos b --clip c --frame-length 0x2", "'0x2' is invalid"),
    ("serve --index a --port 0x50", "--port"), ("search --index a --limit 0x5 query", "--limit"),
    (
      "convert-videodb --feature-dir a --output b --dataset c --frame-length 2 --feat_version slowfast_resnet",
      "clip-vit_mil-nce (1536)"
    ),
    (
      "convert-videodb --feature-dir a --output b --dataset c --frame-length 2 --feat-version resnet --features slowfast",
      "--features"
    ),
    (
      "convert-videodb --feature-dir a --output b --dataset c --frame-length 2 --clip-interval -3",
      "--clip-interval"
    ),
    (
      "convert-videodb --feature-dir a --output b --dataset c --frame-length 2 --clip-interval nan",
      "--clip-interval"
    ),
    (
      "convert-videodb --feature-dir a --vfeat-info-file d --output b --dataset c --frame-length 2",
      "--vfeat-info-file"
    ),
    ("extract-features a --output b --frame-length 1.5", "--resnet"),
    ("extract-features a --output b --resnet c --jobs 0", "--jobs"),
    ("extract-features a --output b --resnet c --frame-length 1e300", "--frame-length"),
    ("extract-features a --output b --resnet c --device cuda", "--device"),
    ("bench --table a --batch b", "--table"), ("bench --into a", "--into"),
    ("bench --table a --steps 5", "--table"), ("bench --table a --device cpu", "--table"),
    ("bench scaling --longest nan", "--longest"), ("bench-search --output a --likeness nan", "--likeness"),
    ("bench-search --output a --topics -1", "--topics"),
    ("demo --tasks tvr tvr", "--tasks"), ("demo --seed -1", "--seed"), ("demo --updates 0", "--updates"),
    ("finetune --task tvr --learning-rate inf", "--learning-rate"),
    ("finetune --task tvr --learning-rate 1e300", "--learning-rate"),
    ("finetune --task tvr --dropout 1", "--dropout"),
    ("finetune --task tvr --train-batch-size -4", "1 or more"),
    ("finetune --task tvr --lr-mul 10", "--lr-mul"), ("finetune --task tvr --vfeat_interval 1e-60", "0.001"),
    ("finetune --task tvr --num-train-steps 9e18", "at most"), ("finetune --task pretrain", "pretrain"),
  ]

  @Test(arguments: refused.indices) func whatWouldDoNothingIsRefused(number: Int) throws {
    let (words, named) = Self.refused[number]
    let run = try HeroProcess(arguments: words.split(separator: " ").map(String.init))
    #expect(run.status == 2, "\(words): \(run.errors)")
    #expect(run.errors.contains(named), "\(words): \(run.errors)")
  }

  @Test func anEmptyValueIsRefused() throws {
    for words in [["eval", "--query-txt-db", "", "--output-dir", "b"], ["index", "--output="]] {
      let run = try HeroProcess(arguments: words)
      #expect(
        run.status == 2 && run.errors.contains("\(words[1].replacing("=", with: "")) has an empty value"))
    }
  }

  /// The last value of a repeated flag counts, and a warning says so.
  @Test func repetitionsAreTold() throws {
    let words = ["finetune", "--learning-rate", "1", "--seed=3", "--hard-neg-weight", "1", "--compressed-db"]
    let again = ["--learning-rate", "2", "--seed", "3", "--hard-neg-weights", "2", "--no-compressed-db"]
    #expect(try CommandWords.repetitions(in: words).isEmpty)
    #expect(
      try CommandWords.repetitions(in: words + again).map { $0.split(separator: " ")[1] } == [
        "--compressed-db", "--hard-neg-weights", "--learning-rate",
      ])
    // Values of these flags accumulate.
    #expect(
      try CommandWords.repetitions(in: [
        "create-txtdb", "--annotation", "a", "--annotation", "b", "--output", "c", "--output", "d",
      ]) == ["warning: --output is given 2 times; the last counts"])
  }

  /// A negative number is a value, although it looks like a flag.
  @Test func negativeNumbersAreValues() throws {
    let words = "caption --length-penalty -1 --nms-thd -1 --json -1 -- --beam -2".split(separator: " ")
    #expect(
      try CommandWords.joiningNegativeNumbers(words.map(String.init)).joined(separator: " ")
        == "caption --length-penalty=-1 --nms-thd -1 --json -1 -- --beam -2")
    #expect(
      try CommandWords.joiningNegativeNumbers(["convert-videodb", "--clip-interval", "-1.0"])
        == ["convert-videodb", "--clip-interval=-1.0"])
  }

  /// Results that cannot be printed are an error, and messages never reach a file.
  @Test(arguments: [">/dev/full", ">&-"]) func resultsThatCannotBePrinted(redirection: String) throws {
    let run = try HeroProcess(
      executable: URL(fileURLWithPath: "/bin/sh"),
      arguments: ["-c", "exec '\(HeroProcess.binary.path)' devices \(redirection)"])
    #expect(run.status == 1)
    #expect(run.errors.contains("standard output: cannot write"), "\(run.errors)")
  }

  @Test func resumeTakesAuto() {
    #expect(
      CommandWords.withoutAuto(["finetune", "--resume", "auto", "--task", "auto"]) == [
        "finetune", "--resume", "--task", "auto",
      ])
    #expect(CommandWords.withoutAuto(["pretrain", "--resume=auto"]) == ["pretrain", "--resume"])
  }

  @Test func commandsAreShownAsAShellTakesThem() {
    #expect(
      ShellWords.line(["hero", "eval", "--split", "a b", "it's", ""])
        == "hero eval --split 'a b' 'it'\\''s' ''")
  }

  @Test func helpOffersWhatIsTaken() throws {
    let eval = try HeroProcess("eval", "--help").output
    #expect(eval.contains("vatex_en_c") && !eval.contains("pretrain"))
    let finetune = try HeroProcess("finetune", "--help").output
    #expect(!finetune.contains("there is one process"))
  }

  /// Nothing mentions a missing GPU that nobody asked for.
  @Test func missingGPUsAreNotMentioned() throws {
    let folder = try TemporaryFolder()
    let run = try HeroProcess(
      "bench-search", "--videos", "2", "--frames", "2", "--queries", "1", "--likeness", "0.5", "--topics",
      "1", "--output", folder.path("a.index"))
    #expect(run.status == 0 && !run.errors.contains("GPU"), "\(run.errors)")
  }
}
