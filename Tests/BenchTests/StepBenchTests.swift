import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Bench

struct StepBenchTests {
  private static let model: ModelConfiguration = {
    func part(_ layers: Int, vocabulary: Int? = nil) -> TransformerConfiguration {
      TransformerConfiguration(
        hiddenSize: 16, layers: layers, heads: 2, intermediateSize: 32, positions: 64, vocabulary: vocabulary)
    }
    return ModelConfiguration(
      cross: part(1, vocabulary: 50), temporal: part(1), query: part(0), decoder: part(1), featureWidth: 12)
  }()

  private static let oneVideo = """
    {"videos": [{"frames": 9, "subs": [[0, 4, 6], [4, 3, 5]], "queries": [[5, 1, 3], [4, 0, 2]], "clips": [[1, 4], [0, 9]]}]}
    """

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A line of the bench reports the work; measuring the machine's peak takes longest.
  @Test(arguments: [BenchKind.finetune, .caption, .mfmNCE, .fom, .vsm]) func aLineTellsTheWork(
    kind: BenchKind
  ) throws {
    let batch = try folder.file("batch.json", Self.oneVideo)
    let result = try StepBench(backend: try CPUBackend(threads: 1), model: Self.model).run(
      kind, batch: batch, steps: 2)
    let line = result.json
    #expect(line["kind"] == .string(kind.rawValue))
    #expect(line["precision"] == "fp32")
    // The frames and tokens of the two sentences.
    #expect(line["real_tokens"] == 18)
    #expect(try #require(line["flops"]?.int) > 10_000)
    #expect(try #require(line["peak_memory"]?.int) > 0)
    #expect(try #require(line["peak_gflops"]?.double) > 0)
    for name in ["seconds", "fraction_of_peak"] { #expect(line[name]?.double != nil, "\(name)") }
    #expect((line["decoding_seconds"] != nil) == (kind == .caption))
    #expect((line["queued_seconds"] != nil) == (kind != .caption))
    #expect(line["moments_precision"] == (kind == .caption ? nil : "fp32"))
    #expect(try #require(line["tensor_memory"]?.int) > 0)
  }

  @Test func anUpdateKeepsItsMomentsAsAsked() throws {
    let batch = try folder.file("batch.json", Self.oneVideo)
    let bench = StepBench(backend: try CPUBackend(threads: 1), model: Self.model, moments: .bf16)
    #expect(try bench.run(.finetune, batch: batch, steps: 1).json["moments_precision"] == "bf16")
  }

  /// A device with its own memory, which reports a peak.
  private final class Apart: ForwardingBackend, @unchecked Sendable {
    override var peakDeviceMemory: Int? { 12_345 }
  }

  @Test func memoryIsTheDevicesOwn() throws {
    let batch = try folder.file("batch.json", Self.oneVideo)
    let device = Apart(try CPUBackend(threads: 1))
    let result = try StepBench(backend: device, model: Self.model).run(.encode, batch: batch, steps: 1)
    #expect(result.json["peak_memory"] == 12_345)
  }

  @Test(arguments: [
    ("{}", "there are no \"videos\""), (#"{"videos": [{"frames": 0}]}"#, "frames"),
    (#"{"videos": [{"frames": 3, "subs": [[0, 1]]}]}"#, "subs"),
    (#"{"videos": [{"frames": 3, "subs": [], "queries": [[1, 0, -1]]}]}"#, "queries"),
    (#"{"videos": [{"frames": 3, "subs": [], "queries": [], "clips": 7}]}"#, "clips"),
  ])
  func aBatchThatIsNoneIsNamed(text: String, what: String) throws {
    let batch = try folder.file("batch.json", text)
    let error = try #require(throws: DataError.self) {
      try StepBench(backend: try CPUBackend(threads: 1), model: Self.model).run(
        .encode, batch: batch, steps: 1)
    }
    #expect(error.file == batch && error.description.contains(what))
  }
}

struct BenchHistoryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func line(
    _ kind: String, _ seconds: Double, program: String = "hero", commit: String = "abc",
    machine: String = "M, 2 cores",
    more: JSONObject = [:]
  ) -> JSON {
    var object: JSONObject = [
      "program": .string(program), "commit": .string(commit), "date": "2026-01-31",
      "machine": .string(machine),
      "kernels": "AVX2", "kind": .string(kind), "seconds": .double(seconds), "precision": "fp32",
    ]
    for (key, value) in more { object[key] = value }
    return .object(object)
  }

  @Test func aRecordReadsBackAsItWas() throws {
    let path = folder.path("history.jsonl")
    let lines = [
      line("mlm", 2.5, more: ["fraction_of_peak": 0.9, "peak_memory": 3_600_000_000]), line("encode", 0.5),
    ]
    for json in lines { try BenchRecord(json: json).append(to: path) }
    #expect(try BenchRecord.read(path: path).map(\.json) == lines)
    // A last line without a line break is ended first.
    let open = try folder.file("open.jsonl", lines[0].encoded())
    try BenchRecord(json: lines[1]).append(to: open)
    #expect(try BenchRecord.read(path: open).map(\.json) == lines)
  }

  /// The table has the newest commit's figures in the order of the kinds.
  ///
  /// Another program's figures on the same machine stand beside them.
  @Test func theTableHasTheNewest() throws {
    let records = try [
      line("finetune", 9, commit: "old"), line("finetune", 20, program: "Other"),
      line("mlm", 30, program: "Other", machine: "another"),
      line("mlm", 4.02, more: ["fraction_of_peak": 0.876]),
      line("finetune", 8), line("finetune", 4, more: ["peak_memory": 3_640_000_000]),
    ].map { try BenchRecord(json: $0) }
    #expect(
      try BenchTable(records).markdown == """
        Commit `abc`, 2026-01-31, M, 2 cores, AVX2, fp32:

        | | Other | hero | ratio | of the products' peak | peak memory |
        | --- | --- | --- | --- | --- | --- |
        | finetune | 20.0 s | 4.00 s | 5.0 | | 3.6 GB |
        | `mlm` | | 4.02 s | | 88 % | |

        """)
    let alone = try BenchTable(records.filter { $0.program == "hero" }).markdown
    #expect(alone.contains("| | hero | of the products' peak | peak memory |") && !alone.contains("ratio"))
    #expect(throws: DataError.self) { try BenchTable(records.filter { $0.program != "hero" }) }
  }

  @Test func theTableTakesThePlaceOfTheLast() throws {
    let table = try BenchTable([try BenchRecord(json: line("mlm", 4))])
    let page = try folder.file(
      "page.md", "before\n<!-- bench: hero bench --table -->\nold\n<!-- /bench -->\nafter\n")
    for _ in 0..<2 {
      try table.write(into: page)
      let text = String(decoding: try FileBytes.read(path: page), as: UTF8.self)
      #expect(
        text.hasPrefix("before\n") && text.hasSuffix("<!-- /bench -->\nafter\n") && !text.contains("old"))
      #expect(text.components(separatedBy: table.markdown).count == 2)
    }
    let error = #expect(throws: DataError.self) { try table.write(into: try folder.file("none.md", "text")) }
    #expect(error?.file?.hasSuffix("none.md") == true)
  }

  @Test(arguments: [
    "{}", #"{"program": "hero", "kind": "nothing"}"#,
    #"{"program": "hero", "kind": "mlm", "seconds": 0, "commit": "", "date": "", "machine": "", "kernels": "", "precision": ""}"#,
  ])
  func whatIsNoRecordIsNamed(text: String) throws {
    let path = try folder.file("history.jsonl", text)
    let error = #expect(throws: DataError.self) { try BenchRecord.read(path: path) }
    #expect(error?.file == path && error?.place == "line 1")
  }

  /// The README's table matches the history.
  @Test func theREADMEsTableIsTheHistorys() throws {
    let root = SharedData.repository.path
    let table = try BenchTable(try BenchRecord.read(path: root + "/Benchmarks/history.jsonl"))
    let readme = String(decoding: try FileBytes.read(path: root + "/README.md"), as: UTF8.self)
    #expect(readme.contains(table.markdown), "run make bench-table")
  }
}
