import Foundation
import TestSupport

/// Two hosts with a cable between them: network namespaces of this machine.
///
/// Each has its own host name, so launchers take them for machines and their processes meet over
/// TCP only.
final class MPIHosts {
  private let names: [String]
  /// The name of the interface at either end of the cable.
  private let end = "hero0"
  private let addresses = ["10.77.0.1", "10.77.0.2"]
  /// A script that stands in for ssh.
  private let agent: String

  /// Whether this process may make namespaces.
  static let areAllowed: Bool = {
    let name = "hero-\(getpid())-t"
    defer { _ = try? run(["ip", "netns", "delete", name]) }
    return (try? run(["ip", "netns", "add", name])) == 0
  }()

  @discardableResult
  private static func run(_ words: [String]) throws -> Int32 {
    try HeroProcess(executable: URL(fileURLWithPath: "/usr/bin/env"), arguments: words).status
  }

  /// - Parameter folder: the folder for the scripts.
  init(_ folder: TemporaryFolder) throws {
    names = ["a", "b"].map { "hero-\(getpid())-\($0)" }
    let cases = zip(addresses, names).map { "\($0)) name=\($1) ;;" }.joined(separator: " ")
    agent = try folder.file(
      "agent.sh",
      """
      #!/bin/sh
      while :; do case $1 in -l | -p | -i | -o | -F) shift 2 ;; -*) shift ;; *) break ;; esac; done
      case $1 in \(cases) esac
      shift
      exec ip netns exec $name unshare --uts sh -c "hostname $name; $*"
      """)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: agent)
    for name in names { try Self.run(["ip", "netns", "add", name]) }
    let cable = ["netns", names[0], "type", "veth", "peer", "name", end, "netns", names[1]]
    try Self.run(["ip", "link", "add", end] + cable)
    for (place, name) in names.enumerated() {
      try Self.run(["ip", "-n", name, "address", "add", addresses[place] + "/24", "dev", end])
      for link in ["lo", end] { try Self.run(["ip", "-n", name, "link", "set", link, "up"]) }
    }
    try waitForTheCable()
  }

  /// Waits until both ends see the cable.
  private func waitForTheCable() throws {
    for name in names {
      for _ in 0..<100 {
        let words = ["ip", "-n", name, "link", "show", end]
        let link = try HeroProcess(executable: URL(fileURLWithPath: "/usr/bin/env"), arguments: words)
        if link.output.contains("state UP") { break }
        usleep(50_000)
      }
    }
  }

  deinit { for name in names { _ = try? Self.run(["ip", "netns", "delete", name]) } }

  func pullTheCable() throws { try Self.run(["ip", "-n", names[0], "link", "set", end, "down"]) }

  /// Returns what a host's processes wrote to standard error.
  func said(_ host: Int, in folder: TemporaryFolder) -> String {
    (try? String(contentsOfFile: folder.path("said-\(names[host])"), encoding: .utf8)) ?? ""
  }

  /// Returns a command line that starts `processes` on both hosts by `launcher` on the first.
  func words(
    _ launcher: MPIJob.Launcher, executable: URL, processes: Int, _ arguments: [String],
    in folder: TemporaryFolder
  ) throws -> [String] {
    let quoted = ([HeroProcess.binary.path] + arguments).map { "'\($0)'" }.joined(separator: " ")
    let script = try folder.file(
      "start.sh",
      """
      cd '\(folder.root)'
      # MPICH's UCX would see that both hosts share their memory.
      UCX_TLS=tcp,self HERO_MPI_TIMEOUT=3 HERO_NUM_THREADS=1 exec \(quoted) 2>>"said-$(hostname)"
      """)
    let each = processes / 2
    let options: [String] =
      switch launcher {
      case .openMPI:
        ["--host", addresses.map { "\($0):\(each)" }.joined(separator: ",")]
          + ["--allow-run-as-root", "--bind-to", "none", "--mca", "plm_rsh_agent", agent]
          + ["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "10.77.0.0/24"]
          + ["--mca", "oob_tcp_if_include", "10.77.0.0/24"]
      case .mpich:
        ["-hosts", addresses.joined(separator: ","), "-ppn", "\(each)", "-bind-to", "none"]
          + ["-launcher", "ssh", "-launcher-exec", agent]
      }
    let start = ([executable.path, "-np", "\(processes)"] + options + ["sh", script]).joined(separator: " ")
    return [
      "ip", "netns", "exec", names[0], "unshare", "--uts", "sh", "-c", "hostname \(names[0]); exec \(start)",
    ]
  }
}
