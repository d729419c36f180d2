import Foundation

/// The launch of this process by an MPI launcher, as the environment tells it.
public struct MPILaunch: Equatable, Sendable {
  /// A family of MPI libraries with one binary interface, named as its plugin is.
  public enum Library: String, CaseIterable, Sendable {
    case openMPI = "openmpi"
    case mpich
  }

  /// The launcher's common name.
  public var launcher: String
  /// The number of processes that it started; 0 if unknown.
  public var size: Int
  /// The libraries that it may have started the job for, the likeliest first.
  public var libraries: [Library]

  /// The variable that names a library, or a plugin's file, where the environment would mislead.
  static let override = "HERO_MPI"

  /// - Returns: nil if the environment is not that of an MPI job.
  public init?(environment: [String: String]) {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }
    if let size = number("OMPI_COMM_WORLD_SIZE") {
      self.init(launcher: "mpirun", size: size, libraries: [.openMPI])
    } else if let size = number("PMI_SIZE") {
      // Hydra, and srun --mpi=pmi2, set this variable.
      let launcher = environment["SLURM_STEP_ID"] == nil ? "mpiexec" : "srun"
      self.init(launcher: launcher, size: size, libraries: [.mpich, .openMPI])
    } else if let size = number("SLURM_STEP_NUM_TASKS"), environment["SLURM_PROCID"] != nil {
      self.init(launcher: "srun", size: size, libraries: [.openMPI, .mpich])
    } else if environment["PMIX_RANK"] != nil {
      // PMIx does not tell the number of processes.
      self.init(launcher: "a PMIx launcher", size: 0, libraries: [.openMPI, .mpich])
    } else {
      return nil
    }
    if let name = environment[Self.override].flatMap(Library.init(rawValue:)) { libraries = [name] }
  }

  init(launcher: String, size: Int, libraries: [Library]) {
    (self.launcher, self.size, self.libraries) = (launcher, size, libraries)
  }
}

extension MPILaunch {
  /// Joins the job of MPI that started this process; without one, returns the sole process.
  /// - Parameter program: the program's file; the plugins lie in `lib` beside it or above it.
  /// - Throws: `EngineError` if MPI started the process and it cannot join: each copy would do the
  ///   whole work.
  public static func join(
    environment: [String: String] = ProcessInfo.processInfo.environment, program: String
  ) throws -> any Communicator {
    guard let launch = MPILaunch(environment: environment), launch.size != 1 else {
      return SoleCommunicator.shared
    }
    var files = launch.libraries.map { plugin($0, program: program) }
    if let path = environment[override], Library(rawValue: path) == nil { files = [path] }
    var problems: [String] = []
    for file in files {
      do {
        let communicator = try MPICommunicator(plugin: file)
        guard launch.size == 0 || communicator.size == launch.size else {
          throw EngineError(
            "\(launch.launcher) started \(launch.size) processes, of which MPI knows \(communicator.size); "
              + "start them with the MPI that hero's plugin \(file) is for (srun: --mpi=pmix or --mpi=pmi2)")
        }
        return communicator.size > 1 ? communicator : SoleCommunicator.shared
      } catch let problem as PluginProblem {
        problems.append("\(file): \(problem.reason)")
      }
    }
    throw EngineError(
      "started by \(launch.launcher), but MPI cannot be loaded (\(problems.joined(separator: "; "))); "
        + "'make mpi' builds the plugins of the MPIs that are installed")
  }

  /// Returns the path of the plugin for an MPI: in `lib` beside the program, or above it as in a
  /// release.
  /// - Parameter program: the program's own file.
  public static func plugin(_ library: Library, program: String) -> String {
    let folder = URL(fileURLWithPath: program).resolvingSymlinksInPath().deletingLastPathComponent()
    let name = "lib/hero-mpi-\(library.rawValue).so"
    let beside = folder.appendingPathComponent(name).path
    let above = folder.deletingLastPathComponent().appendingPathComponent(name).path
    return FileManager.default.fileExists(atPath: above) && !FileManager.default.fileExists(atPath: beside)
      ? above : beside
  }
}
