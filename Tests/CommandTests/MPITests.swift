import Formats
import Foundation
import TestSupport
import Testing

/// Runs of several processes, started as users start them, against runs of one.
@Suite(.serialized, .ownThreads) struct MPITests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws {
    corpus = try SmallCorpus()
    #expect(!MPIJob.installed.isEmpty, "no MPI is installed; Scripts/install-packages does it")
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path(name)))
  }

  /// Ranks that share one process's batches train the same weights up to rounding.
  ///
  /// An evaluation of one checkpoint is the same byte for byte.
  @Test(.timeLimit(.minutes(30)), arguments: MPIJob.installed) func trainingAndEvaluation(job: MPIJob) throws
  {
    let settings = ["--num-train-steps", "8", "--valid-steps", "8", "--dropout", "0"]
    for command in ["finetune", "pretrain"] {
      let arguments = [command, "--config", "\(command).json"] + settings
      try corpus.run(arguments + ["--output-dir", "\(command) 1"])
      let together = try job.run(
        2, arguments + ["--output-dir", "\(command) 2", "--train-batch-size", "2"], folder: folder.root)
      try #require(together.status == 0, "\(together.errors)")
      #expect(together.errors.contains("on each of 2 processes"))
      let runs = try [2, 1].map { try AdamRun(folder: folder.path("\(command) \($0)"), step: 8) }
      #expect(runs[0].differences(from: runs[1], updates: 8, learningRate: 1e-3) == [], "\(command)")
    }
    let evaluation = [
      "eval", "--split", "test", "--query-txt-db", "txt_db/test.db", "--output-dir", "finetune 1",
      "--vcmr-eval-q-batch-size", "3", "--vcmr-eval-video-batch-size", "2", "--json",
    ]
    let results = folder.path("finetune 1/results_test/results_8_all.json")
    let alone = try HeroProcess(
      arguments: evaluation, folder: folder.root, environment: ["HERO_NUM_THREADS": "1"])
    let expected = try bytes("finetune 1/results_test/results_8_all.json")
    try FileManager.default.removeItem(atPath: results)
    let together = try job.run(3, evaluation, folder: folder.root)
    try #require(together.status == 0, "\(together.errors)")
    #expect(together.output == alone.output)
    let divided = try bytes("finetune 1/results_test/results_8_all.json")
    #expect(divided == expected)
  }

  /// A signal to the launcher stops all ranks after the same update, and the run can be resumed.
  ///
  /// Resuming with the same ranks is bit-exact; other numbers of ranks work too.
  @Test(.timeLimit(.minutes(30)), arguments: MPIJob.installed) func interruption(job: MPIJob) throws {
    // The run is long enough for a launcher to forward a signal.
    let arguments = [
      "finetune", "--config", "finetune.json", "--train-batch-size", "2", "--num-train-steps", "800",
      "--valid-steps", "800", "--save-steps", "20", "--output-dir",
    ]
    let whole = try job.run(2, arguments + ["whole"], folder: folder.root)
    try #require(whole.status == 0, "\(whole.errors)")
    // Open MPI kills what still runs two seconds after Ctrl-C or SIGTERM. A model of this size
    // stops sooner.
    for (name, signal) in [("same", SIGUSR1), ("one", job.launcher == .openMPI ? SIGTERM : SIGINT)] {
      let process = try job.start(2, arguments + [name], folder: folder.root)
      let states = folder.path("\(name)/ckpt")
      while process.isRunning,
        (try? FileManager.default.contentsOfDirectory(atPath: states))?.contains(where: {
          $0.hasPrefix("state_step_")
        }) != true
      { usleep(2_000) }
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      #expect(!FileManager.default.fileExists(atPath: states + "/model_step_800.safetensors"))
      let log = try String(contentsOfFile: folder.path("\(name)/log/log.txt"), encoding: .utf8)
      #expect(log.components(separatedBy: "stopped after update").count == 2)
    }
    let same = try job.run(2, arguments + ["same", "--resume"], folder: folder.root)
    #expect(same.status == 0 && same.errors.contains("going on after update"))
    let model = "ckpt/model_step_800.safetensors"
    let (resumed, uninterrupted) = (try bytes("same/\(model)"), try bytes("whole/\(model)"))
    #expect(resumed == uninterrupted)
    try corpus.run(arguments + ["one", "--resume"])
    #expect(FileManager.default.fileExists(atPath: folder.path("one/\(model)")))
  }

  /// A rank that fails says why, and ends the others.
  @Test(.timeLimit(.minutes(30)), arguments: MPIJob.installed) func failures(job: MPIJob) throws {
    let missing = try job.run(
      2, ["finetune", "--config", "finetune.json", "--sub-txt-db", "nowhere", "--output-dir", "none"],
      folder: folder.root)
    #expect(missing.status != 0)
    #expect(missing.errors.contains("hero: error: rank 0: nowhere"))
    let several = try job.run(2, ["create-txtdb", "--task", "tvr"], folder: folder.root)
    #expect(several.status != 0)
    // A killed rank cannot say anything; the launcher does.
    let said = folder.path("said.txt")
    #expect(FileManager.default.createFile(atPath: said, contents: nil))
    let process = try job.start(
      2,
      ["finetune", "--config", "finetune.json", "--output-dir", "killed", "--num-train-steps", "1000000"],
      folder: folder.root, said: try #require(FileHandle(forWritingAtPath: said)))
    let states = folder.path("killed/ckpt")
    while process.isRunning, (try? FileManager.default.contentsOfDirectory(atPath: states))?.isEmpty != false
    {
      usleep(2_000)
    }
    let ranks = try children(named: "hero", of: process.processIdentifier)
    #expect(ranks.count == 2)
    let killed = Date()
    if let last = ranks.last { kill(last, SIGKILL) }
    process.waitUntilExit()
    // The launcher ends the other rank within moments. Waiting for the dead one would take 15
    // minutes.
    #expect(Date().timeIntervalSince(killed) < 100)
    #expect(process.terminationStatus != 0)
    let words = try String(contentsOfFile: said, encoding: .utf8)
    // The words of Open MPI, MPICH or the other rank.
    let causes = ["signal 9", "EXIT CODE: 9", "is gone"]
    #expect(causes.contains { words.contains($0) }, "\(words)")
  }

  /// Returns the descendants of a process that have a given name.
  private func children(named name: String, of root: Int32) throws -> [Int32] {
    var parents: [Int32: Int32] = [:]
    var named: [Int32] = []
    for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
      guard let id = Int32(entry),
        let status = try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8),
        let parent = status.firstMatch(of: /PPid:\s*([0-9]+)/).flatMap({ Int32($0.1) })
      else { continue }
      parents[id] = parent
      if status.hasPrefix("Name:\t\(name)\n") { named.append(id) }
    }
    return named.sorted().filter { id in
      var ancestor = id
      while let parent = parents[ancestor], parent != 0, ancestor != root { ancestor = parent }
      return ancestor == root
    }
  }

  @Test func withoutItsPluginNoneRuns() throws {
    let process = try HeroProcess(
      arguments: ["finetune", "--config", "finetune.json"], folder: folder.root,
      environment: ["OMPI_COMM_WORLD_SIZE": "2", "HERO_MPI": "/nowhere.so"])
    #expect(process.status == 1)
    #expect(process.errors.contains("MPI cannot be loaded (/nowhere.so: there is no such file)"))
  }
}
