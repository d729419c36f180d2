import TestSupport
import Testing

@testable import Engine

/// How a process detects that it is one of several, and how it shares the machine's cores.
struct MPILaunchTests {
  @Test func launchersAreKnownByTheirEnvironment() {
    func launch(_ environment: [String: String]) -> MPILaunch? { MPILaunch(environment: environment) }
    #expect(launch(["PATH": "/bin"]) == nil)
    // A batch script of Slurm is not a step of several tasks.
    #expect(launch(["SLURM_PROCID": "0", "SLURM_NTASKS": "8"]) == nil)
    #expect(
      launch(["OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "1"])
        == MPILaunch(launcher: "mpirun", size: 4, libraries: [.openMPI]))
    #expect(
      launch(["PMI_SIZE": "2", "PMI_RANK": "1"])
        == MPILaunch(launcher: "mpiexec", size: 2, libraries: [.mpich, .openMPI]))
    #expect(
      launch(["PMI_SIZE": "2", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"])
        == MPILaunch(launcher: "srun", size: 2, libraries: [.mpich, .openMPI]))
    #expect(
      launch(["PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "0"])
        == MPILaunch(launcher: "srun", size: 3, libraries: [.openMPI, .mpich]))
    #expect(launch(["PMI_SIZE": "2", "HERO_MPI": "openmpi"])?.libraries == [.openMPI])
  }

  /// A process that cannot join the others fails, since copies must not each do the whole work.
  @Test func whoCannotJoinDoesNotRun() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: EngineError.self) {
      try MPILaunch.join(environment: ["OMPI_COMM_WORLD_SIZE": "2"], program: folder.path("hero"))
    }
    #expect(error?.description.contains("lib/hero-mpi-openmpi.so: there is no such file") == true)
    let damaged = try folder.file("broken.so", "no library")
    #expect(throws: EngineError.self) {
      try MPILaunch.join(
        environment: ["OMPI_COMM_WORLD_SIZE": "2", "HERO_MPI": damaged], program: folder.path("hero"))
    }
    #expect(try MPILaunch.join(environment: ["OMPI_COMM_WORLD_SIZE": "1"], program: "hero").size == 1)
    #expect(try MPILaunch.join(environment: [:], program: "hero").size == 1)
  }

  @Test func coresAreDivided() {
    let all = Set(0..<16)
    #expect((0..<4).map { CoreDivision.share(of: $0, [all, all, all, all]) } == [4, 4, 4, 4])
    #expect((0..<3).map { CoreDivision.share(of: $0, [all, all, all]) }.reduce(0, +) == 16)
    #expect((0..<3).map { CoreDivision.share(of: $0, [[0, 1], [0, 1], [0, 1]]) } == [1, 1, 1])
    // Ranks are bound to separate parts of the cores, or to parts that overlap.
    #expect((0..<2).map { CoreDivision.share(of: $0, [[0, 1, 2], [3]]) } == [3, 1])
    #expect((0..<2).map { CoreDivision.share(of: $0, [[0, 1, 2, 3], [2, 3]]) } == [3, 1])
    #expect(CoreDivision.isBoundByDefault([[0], [1]], machine: 16))
    #expect(!CoreDivision.isBoundByDefault([[0], [1]], machine: 2))
    #expect(!CoreDivision.isBoundByDefault([[0, 1], [2, 3]], machine: 16))
  }
}
