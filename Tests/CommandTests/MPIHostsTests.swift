import Formats
import Foundation
import TestSupport
import Testing

/// Four processes on two hosts, over TCP.
@Suite(
  .serialized, .ownThreads,
  .enabled(
    if: MPIHosts.areAllowed,
    "NOT TESTED: two hosts, since this user may not make network namespaces (root may)"))
struct MPIHostsTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  private func start(_ job: MPIJob, _ hosts: MPIHosts, _ arguments: [String]) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = try hosts.words(
      job.launcher, executable: job.executable, processes: 4, arguments, in: folder)
    process.currentDirectoryURL = URL(fileURLWithPath: folder.root)
    // The launcher's own output.
    let said = FileHandle(forWritingAtPath: try folder.file("launcher", ""))
    process.standardError = said
    process.standardOutput = said
    try process.run()
    return process
  }

  @Test(.timeLimit(.minutes(30)), arguments: MPIJob.installed) func trainingOverTCP(job: MPIJob) throws {
    let arguments = [
      "finetune", "--config", "finetune.json", "--num-train-steps", "20", "--valid-steps", "20", "--dropout",
      "0",
      "--learning-rate", "1e-4",
    ]
    try corpus.run(arguments + ["--output-dir", "alone"])
    let hosts = try MPIHosts(folder)
    let process = try start(job, hosts, arguments + ["--output-dir", "hosts", "--train-batch-size", "1"])
    process.waitUntilExit()
    let launcher = (try? String(contentsOfFile: folder.path("launcher"), encoding: .utf8)) ?? ""
    let ends = { (location: SourceLocation) in
      #expect(
        process.terminationStatus == 0,
        "\(launcher)\n\(hosts.said(0, in: folder))\n\(hosts.said(1, in: folder))", sourceLocation: location)
    }
    if job.launcher == .mpich {
      // Over UCX's TCP, MPI_Finalize of MPICH 4.0.2 sometimes hangs, even in a minimal C program.
      // hero exits without it after 10 s, when everything is written. The launcher sometimes takes
      // that for a failure.
      withKnownIssue("the launcher's status", isIntermittent: true) { ends(#_sourceLocation) }
    } else {
      ends(#_sourceLocation)
    }
    let runs = try ["hosts", "alone"].map { try AdamRun(folder: folder.path($0), step: 20) }
    #expect(runs[0].differences(from: runs[1], updates: 20, learningRate: 1e-4) == [])
    let losses = try ["hosts", "alone"].map {
      try LoggedScalars(folder: folder.path("\($0)/log")).values["loss/tvr"] ?? [:]
    }
    #expect(losses[1].count == 20)
    for (update, loss) in losses[1] {
      #expect(abs((losses[0][update] ?? .nan) - loss) <= 1e-5 * max(1, loss))
    }
  }

  /// After the cable is pulled, the ranks end with an error.
  ///
  /// TCP would wait for 15 minutes. HERO_MPI_TIMEOUT is 3 s here, and MPI has 5 s to end the
  /// others.
  @Test(.timeLimit(.minutes(30)), arguments: MPIJob.installed) func aCableIsPulled(job: MPIJob) throws {
    let hosts = try MPIHosts(folder)
    let process = try start(
      job, hosts,
      [
        "finetune", "--config", "finetune.json", "--output-dir", "pulled", "--num-train-steps", "1000000",
        "--valid-steps", "1000000", "--train-batch-size", "1",
      ])
    let states = folder.path("pulled/ckpt")
    while process.isRunning, (try? FileManager.default.contentsOfDirectory(atPath: states))?.isEmpty != false
    {
      usleep(2_000)
    }
    try #require(process.isRunning, "\(hosts.said(0, in: folder))")
    let pulled = Date()
    try hosts.pullTheCable()
    while !ranks().isEmpty, Date().timeIntervalSince(pulled) < 120 { usleep(100_000) }
    #expect(Date().timeIntervalSince(pulled) < 100)
    for host in 0..<2 {
      #expect(hosts.said(host, in: folder).contains("hero: error: rank"), "\(hosts.said(host, in: folder))")
    }
    for rank in ranks() { kill(rank, SIGKILL) }
    // The launcher waits for the other host; a user would stop it.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Returns the ids of the run's processes that are still alive.
  private func ranks() -> [Int32] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return entries.compactMap { Int32($0) }.filter { id in
      guard let words = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") else { return false }
      let text = String(decoding: words, as: UTF8.self)
      return text.hasPrefix(HeroProcess.binary.path) && text.contains("pulled")
        && (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/cwd")) == folder.root
    }
  }
}
