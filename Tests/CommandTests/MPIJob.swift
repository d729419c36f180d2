import Foundation
import TestSupport
import Testing

/// The program as several processes, under an installed MPI.
struct MPIJob {
  /// The MPI implementations, by launcher.
  enum Launcher: String, CaseIterable {
    case openMPI = "openmpi"
    case mpich

    /// Its `mpirun`: Debian's name beside other MPIs, or the plain name.
    var executable: URL? {
      let names = ["mpirun.\(rawValue)", "mpirun"]
      for folder in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") {
        for name in names {
          let file = URL(fileURLWithPath: "\(folder)/\(name)")
          guard FileManager.default.isExecutableFile(atPath: file.path) else { continue }
          if name != "mpirun" || isOwn(file) { return file }
        }
      }
      return nil
    }

    private func isOwn(_ file: URL) -> Bool {
      let version = try? HeroProcess(executable: file, arguments: ["--version"])
      let text = (version?.output ?? "") + (version?.errors ?? "")
      return text.contains(self == .openMPI ? "Open" : "HYDRA")
    }
  }

  let launcher: Launcher
  let executable: URL

  /// The installed MPIs, at least one: `Scripts/install-packages` installs it.
  static let installed: [MPIJob] = {
    let plugins = HeroProcess.binary.deletingLastPathComponent().appendingPathComponent("lib").path
    let made = try? HeroProcess(
      executable: URL(fileURLWithPath: "/usr/bin/env"), arguments: ["make", "mpi", "PLUGINS=\(plugins)"],
      folder: SharedData.repository.path)
    guard made?.status == 0 else { return [] }
    return Launcher.allCases.compactMap { launcher in
      launcher.executable.map { MPIJob(launcher: launcher, executable: $0) }
    }
  }()

  private var environment: [String: String] {
    [
      "HERO_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
      // Open MPI 4 and 5 need these to run more processes than cores.
      "OMPI_MCA_rmaps_base_oversubscribe": "1", "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
      // Containers forbid processes to read each other's memory.
      "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    ]
  }

  private func words(_ processes: Int, _ arguments: [String]) -> [String] {
    ["-np", String(processes), HeroProcess.binary.path] + arguments
  }

  /// Runs the program to its end.
  func run(_ processes: Int, _ arguments: [String], folder: String) throws -> HeroProcess {
    try HeroProcess(
      executable: executable, arguments: words(processes, arguments), folder: folder, environment: environment
    )
  }

  /// Starts the program.
  /// - Parameter said: a file for the output of the program and its launcher.
  func start(
    _ processes: Int, _ arguments: [String], folder: String, said: FileHandle = .nullDevice
  ) throws -> Process {
    let process = Process()
    process.executableURL = executable
    process.arguments = words(processes, arguments)
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardError = said
    process.standardOutput = said
    // Test threads block signals; a launcher would inherit that and forward none.
    var (all, before) = (sigset_t(), sigset_t())
    sigfillset(&all)
    pthread_sigmask(SIG_UNBLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.run()
    return process
  }
}

extension MPIJob: CustomTestStringConvertible {
  var testDescription: String { launcher.rawValue }
}
