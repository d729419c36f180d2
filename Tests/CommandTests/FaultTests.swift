import Formats
import Foundation
import TestSupport
import Testing

/// Written files survive faults of the machine.
///
/// Every command is stopped at one write after another and says why. Run again, it writes the same
/// bytes as a command without faults. The tests take a few writes of each command, or all with
/// `HERO_FAULTS=all`.
@Suite(.ownThreads) struct FaultTests {
  private let corpus: SmallCorpus
  private let faults: Faults
  private var output: String { faults.folder }

  init() throws {
    corpus = try SmallCorpus()
    let output = corpus.folder.path("out")
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    faults = try Faults(scratch: corpus.folder, folder: output)
  }

  /// The commands that write, by name.
  static let commands: [String: [String]] = [
    "finetune": [
      "finetune", "--config", "finetune.json", "--output-dir", "out/it", "--num-train-steps", "6",
      "--valid-steps", "3",
    ],
    "pretrain": [
      "pretrain", "--config", "pretrain.json", "--output-dir", "out/it", "--num-train-steps", "6",
      "--valid-steps", "6",
    ],
    "create-txtdb": [
      "create-txtdb", "--task", "tvr", "--annotation", "corpus/ann/tvr_train.jsonl", "--output", "out/it",
      "--tokenizer", "corpus/tokenizer",
    ],
    "convert-videodb": [
      "convert-videodb", "--feature-dir", "corpus/features", "--output", "out/it", "--dataset", "tv",
      "--frame-length", "1.5",
    ],
    "index": [
      "index", "--model-dir", "run", "--checkpoint", "latest", "--vfeat-db", "video_db/tv", "--sub-txt-db",
      "txt_db/subtitles.db", "--output", "out/it",
    ],
    "eval": [
      "eval", "--split", "test", "--query-txt-db", "txt_db/test.db", "--output-dir", "run", "--checkpoint",
      "latest", "--submission", "out/it",
    ],
  ]

  private func clear() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: output) {
      try FileManager.default.removeItem(atPath: "\(output)/\(name)")
    }
  }

  /// Returns the written files, without logs, locks and events, which differ from run to run.
  private func written() throws -> [String: Data] {
    var files: [String: Data] = [:]
    for case let name as String in try #require(FileManager.default.enumerator(atPath: output))
    where !name.contains("events.out")
      && !["log.txt", "run.lock"].contains((name as NSString).lastPathComponent)
    {
      files[name] = FileManager.default.contents(atPath: "\(output)/\(name)") ?? Data()
    }
    return files
  }

  private func train() throws {
    try corpus.run([
      "finetune", "--config", "finetune.json", "--output-dir", "run", "--num-train-steps", "2",
      "--valid-steps", "2",
    ])
  }

  /// Runs the same command again, with `--resume` where it applies.
  private func again(_ arguments: [String]) throws {
    let resumes = FileManager.default.fileExists(atPath: "\(output)/it/log/hps.json")
    // An evaluation killed after its last write has left its submission.
    let replaces = arguments[0] == "eval" && FileManager.default.fileExists(atPath: "\(output)/it")
    try corpus.run(
      arguments + (resumes && arguments.contains("--config") ? ["--resume"] : [])
        + (replaces ? ["--overwrite"] : []))
  }

  @Test(.timeLimit(.minutes(30)), arguments: commands.keys.sorted())
  func whatIsWrittenIsWhole(command: String) throws {
    let arguments = try #require(Self.commands[command])
    if ["index", "eval"].contains(command) { try train() }
    let calls = try faults.calls(arguments, from: corpus.folder.root)
    #expect(calls > 2)
    let whole = try written()
    let step = ProcessInfo.processInfo.environment["HERO_FAULTS"] == "all" ? 1 : max(1, calls / 5)
    for call in stride(from: 1, through: calls, by: step) {
      try clear()
      let full = try faults.run(arguments, .full, call: call, from: corpus.folder.root)
      try expectToldOfFullDisk(full, call)
      try again(arguments)
      #expect(try written() == whole, "full disk from call \(call)")
    }
    for call in stride(from: min(2, calls), through: calls, by: step) {
      try clear()
      let killed = try faults.run(arguments, .kill, call: call, from: corpus.folder.root)
      #expect(killed.status == SIGKILL, "call \(call)")
      try again(arguments)
      #expect(try written() == whole, "killed at call \(call)")
    }
    try clear()
    let refused = try faults.run(arguments, .readonly, from: corpus.folder.root)
    #expect(refused.status == 1 && refused.errors.contains("Read-only file system"), "\(refused.errors)")
    #expect(try written().isEmpty)

    let jumping = try faults.run(arguments, .clock, from: corpus.folder.root)
    #expect(jumping.status == 0, "\(jumping.errors)")
    #expect(try written() == whole)
    try clear()
    let remote = try faults.run(arguments, .network, from: corpus.folder.root)
    if ["create-txtdb", "convert-videodb"].contains(command) {
      // liblmdb maps the stores that it writes; hero's readers do not.
      #expect(remote.status == 1 && remote.errors.contains("use a local disk"), "\(remote.errors)")
    } else {
      #expect(remote.status == 0, "\(remote.errors)")
      #expect(try written() == whole)
    }
  }

  private func expectToldOfFullDisk(_ process: HeroProcess, _ call: Int) throws {
    guard process.status != 0 else {
      // A failing log does not stop a run, but its end is reported.
      #expect(process.errors.contains("the log ends here"), "call \(call)")
      return
    }
    #expect(process.status == 1, "call \(call): \(process.errors)")
    let said = process.errors.split(separator: "\n").last ?? ""
    #expect(said.contains("out/it"), "call \(call): \(said)")
    #expect(
      said.contains("No space left on device") || said.contains("Input/output error"), "call \(call): \(said)"
    )
  }

  /// A run keeps reading the stores that it opened after they are removed and replaced.
  @Test(.timeLimit(.minutes(30))) func storesAreReplacedUnderARun() throws {
    let arguments = ["finetune", "--config", "finetune.json", "--output-dir"]
    try corpus.run(arguments + ["whole"])
    let process = try corpus.start(arguments + ["out/it"])
    try waitForAState(process)
    for store in ["video_db", "txt_db"] {
      try FileManager.default.moveItem(
        atPath: corpus.folder.path(store), toPath: corpus.folder.path("\(store).old"))
      try FileManager.default.createDirectory(
        atPath: corpus.folder.path("\(store)/tv"), withIntermediateDirectories: true)
    }
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let weights = "ckpt/model_step_60.safetensors"
    #expect(
      FileManager.default.contentsEqual(
        atPath: corpus.folder.path("whole/\(weights)"), andPath: "\(output)/it/\(weights)"))
  }

  /// A run whose store is truncated in place ends with an error that names the store.
  @Test(.timeLimit(.minutes(30))) func aStoreIsCutShortUnderARun() throws {
    let errors = Pipe()
    let process = try corpus.start(
      [
        "finetune", "--config", "finetune.json", "--output-dir", "out/it", "--num-train-steps", "100000",
        "--valid-steps", "100000",
      ], errors: errors)
    try waitForAState(process)
    let store = corpus.folder.path("video_db/tv/resnet_slowfast_1.5/data.mdb")
    try #require(truncate(store, 4096) == 0)
    let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    #expect(said.contains("resnet_slowfast_1.5"), "\(said.suffix(1000))")
  }

  private func waitForAState(_ process: Process) throws {
    let states = "\(output)/it/ckpt"
    while process.isRunning,
      (try? FileManager.default.contentsOfDirectory(atPath: states))?.contains(where: {
        $0.hasPrefix("state_step_")
      }) != true
    { usleep(2_000) }
    try #require(process.isRunning)
  }

  /// A search whose mapped index is truncated ends with an error that names it, not by a signal.
  @Test func anIndexIsCutShortUnderASearch() throws {
    try train()
    try corpus.run(try #require(Self.commands["index"]))
    let (input, output, errors) = (Pipe(), Pipe(), Pipe())
    let process = try corpus.start(
      ["search", "--index", "out/it", "--interactive"], errors: errors, output: output, input: input)
    let query = Data("a man\n".utf8)
    try input.fileHandleForWriting.write(contentsOf: query)
    // The first answer shows that the program has opened the file.
    try #require(!output.fileHandleForReading.availableData.isEmpty)
    try #require(truncate(corpus.folder.path("out/it"), 0) == 0)
    try input.fileHandleForWriting.write(contentsOf: query)
    try input.fileHandleForWriting.close()
    let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1, "\(said)")
    #expect(said.contains("out/it: was cut short"), "\(said)")
  }

  /// A store is made without the videos whose features are not finite, and they are named.
  @Test func featuresThatAreNoNumbersAreNamed() throws {
    let name = try #require(
      FileManager.default.contentsOfDirectory(
        atPath: corpus.folder.path("corpus/features/resnet_features/tv")
      ).sorted().first)
    let file = corpus.folder.path("corpus/features/resnet_features/tv/\(name)")
    var values = try NPZ.read(path: file, name: "features").floats()
    values[8 * 3 + 1] = .infinity
    let array = NDArray(floats: values, shape: [values.count / 8, 8])
    try Data(try NPZ.encode([(name: "features", array: array)], compress: false)).write(
      to: URL(fileURLWithPath: file))
    let made = try corpus.run([
      "convert-videodb", "--feature-dir", "corpus/features", "--output", "out/it", "--dataset", "tv",
      "--frame-length", "1.5",
    ])
    #expect(made.errors.contains("frame 3 holds inf"), "\(made.errors)")
    #expect(made.errors.contains("1 videos unreadable") || made.output.contains("1 videos unreadable"))
  }

  /// A file size limit is not reported as a full disk.
  @Test(arguments: [1, 8]) func aLimitOfFileSizesIsTold(kilobytes: Int) throws {
    let golden = SharedData.golden.path
    let words = [
      "create-txtdb", "--task", "tvr", "--annotation", "\(golden)/corpus/ann/tvr_train.jsonl", "--output",
      "limited.db", "--tokenizer", "\(golden)/corpus/tokenizer",
    ]
    let process = try HeroProcess(
      executable: URL(fileURLWithPath: "/bin/bash"),
      arguments: ["-c", "ulimit -f \(kilobytes); exec \"$0\" \"$@\"", HeroProcess.binary.path] + words,
      folder: corpus.folder.root)
    #expect(process.status == 1 && process.errors.contains("ulimit -f"), "\(process.errors)")
  }

  /// The program reports that memory is short, where OpenBLAS alone would retry forever.
  @Test(.timeLimit(.minutes(30))) func tooLittleMemoryIsTold() throws {
    let arguments = try #require(Self.commands["finetune"]).joined(separator: " ")
    let process = try HeroProcess(
      executable: URL(fileURLWithPath: "/bin/bash"),
      arguments: ["-c", "ulimit -v 300000; exec \(HeroProcess.binary.path) \(arguments)"],
      folder: corpus.folder.root, environment: ["HERO_NUM_THREADS": "8"])
    #expect(process.status == 1 && process.errors.contains("out of memory"), "\(process.errors)")
  }
}
