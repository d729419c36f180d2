import Formats
import Foundation
import TestSupport
import Testing

/// `--precision` on a processor with bfloat16 products, or one that emulates them.
@Suite(.ownThreads) struct PrecisionTests {
  private static let emulation = ["HERO_EMULATE_BF16": "1"]

  /// A run in bf16 records its precision, repeats bit for bit and resumes in bf16 only.
  @Test(.timeLimit(.minutes(30))) func aRunKeepsItsPrecision() throws {
    let corpus = try SmallCorpus()
    func hero(_ arguments: [String], _ precision: String) throws -> HeroProcess {
      try HeroProcess(
        arguments: arguments + ["--device", "cpu", "--precision", precision], folder: corpus.folder.root,
        environment: Self.emulation)
    }
    func finetune(_ run: String, _ rest: [String] = [], steps: Int, precision: String = "bf16") throws
      -> HeroProcess
    {
      try hero(
        ["finetune", "--config", "finetune.json", "--output-dir", run, "--valid-steps", "60"] + rest
          + ["--num-train-steps", String(steps), "--save-steps", "10"], precision)
    }
    for run in ["one", "two"] {
      let result = try finetune(run, ["--fp16"], steps: 60)
      #expect(result.status == 0 && result.errors.contains("half precision is bf16 here"), "\(result.errors)")
    }
    let weights = try ["one", "two"].map {
      try Data(contentsOf: URL(fileURLWithPath: corpus.folder.path("\($0)/ckpt/model_step_60.safetensors")))
    }
    #expect(weights[0] == weights[1])
    let options = try String(contentsOfFile: corpus.folder.path("one/log/hps.json"), encoding: .utf8)
    #expect(options.contains(#""precision": "bf16""#))
    let refused = try finetune("one", ["--fp16", "--resume"], steps: 60, precision: "fp32")
    #expect(refused.status != 0 && refused.errors.contains(#"precision was "bf16", now "fp32""#))
    #expect(refused.errors.contains("--resume-changed"))
    let resumed = try finetune("one", ["--fp16", "--resume"], steps: 60)
    #expect(resumed.status == 0, "\(resumed.errors)")
  }

  /// int8 evaluates a trained model reproducibly, and does not train.
  @Test(.timeLimit(.minutes(30))) func int8EncodesAndDoesNotTrain() throws {
    let corpus = try SmallCorpus()
    func hero(_ arguments: [String]) throws -> HeroProcess {
      try HeroProcess(
        arguments: arguments + ["--device", "cpu", "--precision", "int8"], folder: corpus.folder.root,
        environment: Self.emulation)
    }
    for command in [
      ["finetune", "--config", "finetune.json", "--output-dir", "run"], ["bench", "finetune"],
    ] {
      let refused = try hero(command)
      #expect(refused.status != 0 && refused.errors.contains("int8 encodes and does not train"))
    }
    #expect(!FileManager.default.fileExists(atPath: corpus.folder.path("run")))
    try corpus.run([
      "finetune", "--config", "finetune.json", "--output-dir", "run", "--num-train-steps", "20",
      "--valid-steps", "20", "--save-steps", "20", "--device", "cpu",
    ])
    let figures = try (0..<2).map { _ in
      let run = try hero([
        "eval", "--split", "val", "--query-txt-db", "txt_db/val.db", "--output-dir", "run", "--json",
        "--overwrite",
      ])
      #expect(run.status == 0, "\(run.errors)")
      return run.output
    }
    #expect(figures[0] == figures[1])
    try anIndexSaysItsPrecision(corpus)
  }

  /// Checks that rows in int8 mix with no others, and that queries in another precision are
  /// reported.
  private func anIndexSaysItsPrecision(_ corpus: SmallCorpus) throws {
    func hero(_ arguments: [String], _ precision: String) throws -> HeroProcess {
      try HeroProcess(
        arguments: arguments + ["--device", "cpu", "--precision", precision], folder: corpus.folder.root,
        environment: Self.emulation)
    }
    let index = [
      "index", "--model-dir", "run", "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/subtitles.db",
      "--output", "videos.index",
    ]
    for times in 0..<2 {
      let made = try hero(index, "int8")
      #expect(made.status == 0 && made.output.contains("\(36 * times) were there"), "\(made.errors)")
    }
    let list = try corpus.run(["index", "--list", "--output", "videos.index"])
    #expect(list.errors.contains("run in int8"))
    #expect(try corpus.run(["index", "--check", "--output", "videos.index"]).output.contains("run in int8"))
    let before = try FileBytes.read(path: corpus.folder.path("videos.index"))
    for precision in ["fp32", "bf16"] {
      let refused = try hero(index, precision)
      #expect(refused.status == 1 && refused.errors.contains("encoded in int8"), "\(refused.errors)")
      #expect(refused.errors.contains("Give --precision int8"))
    }
    #expect(try FileBytes.read(path: corpus.folder.path("videos.index")) == before)
    for (precision, isTold) in [("int8", false), ("bf16", true), ("fp32", true)] {
      let found = try hero(["search", "--index", "videos.index", "a man walks"], precision)
      #expect(found.status == 0 && found.errors.contains("encoded in int8") == isTold, "\(found.errors)")
    }
  }

  /// Kernels are chosen by name, and a name that the processor lacks is refused.
  @Test func kernelsAreNamed() throws {
    let names = KernelSets.all.map { String(cString: $0.name) }
    for name in names + ["amx", "sse9"] {
      let result = try HeroProcess(arguments: ["devices"], environment: ["HERO_KERNELS": name])
      if names.contains(name) {
        #expect(result.output.contains("\(name) loops"))
      } else {
        #expect(result.output.contains("HERO_KERNELS is \"\(name)\""))
        #expect(result.output.contains(names.joined(separator: ", ")))
      }
    }
  }

  /// Commands refuse invalid settings, even commands that open no device.
  @Test(arguments: [("HERO_KERNELS", "sse9"), ("HERO_NUM_THREADS", "all"), ("HERO_NUM_THREADS", "1000000")])
  func wrongSettingsAreRefusedEverywhere(name: String, value: String) throws {
    let refused = try HeroProcess(arguments: ["check", "/"], environment: [name: value])
    #expect(refused.status == 1 && refused.errors.contains("\(name) is \"\(value)\""), "\(refused.errors)")
    let help = try HeroProcess(arguments: ["help", "check"], environment: [name: value])
    #expect(help.status == 0)
  }

  /// A precision that the processor lacks is refused with a cure, and `auto` takes one it has.
  @Test func whatIsMissingIsSaid() throws {
    let base = ["HERO_KERNELS": "base"]
    let batch = try TemporaryFolder()
    let arguments = ["bench", "encode", "--batch", batch.path("none.json"), "--device", "cpu", "--precision"]
    let refused = try HeroProcess(arguments: arguments + ["bf16"], environment: base)
    #expect(refused.status != 0 && refused.errors.contains("AVX512-BF16"))
    #expect(refused.errors.contains("--precision auto"))
    let bytes = try HeroProcess(arguments: arguments + ["int8"], environment: base)
    #expect(bytes.status != 0 && bytes.errors.contains("AVX512-VNNI"))
    let automatic = try HeroProcess(arguments: arguments + ["auto"], environment: base)
    #expect(automatic.errors.contains("none.json") && !automatic.errors.contains("AVX512"))
    let other = try HeroProcess(arguments: arguments + ["tf32"], environment: base)
    #expect(other.status != 0 && other.errors.contains("fp32 or bf16"))
    let unknown = try HeroProcess(arguments: arguments + ["fp8"], environment: base)
    #expect(unknown.status != 0 && unknown.errors.contains("fp32, tf32, bf16, int8, auto"))
  }
}
