import Engine
import Foundation
import Synchronization
import Training

/// The processes that this one works with, as part of an MPI job.
enum Processes {
  /// The job to which an MPI launcher added this process; a job of one without a launcher.
  static var communicator: any Communicator { joined.withLock { $0 } }

  private static let joined = Mutex<any Communicator>(SoleCommunicator.shared)

  /// Joins the job.
  ///
  /// From then on only the first rank prints; the others print only errors.
  /// - Throws: `EngineError` where MPI started the process and it cannot join.
  static func join() throws {
    let communicator = try MPILaunch.join(program: Bundle.main.executablePath ?? CommandLine.arguments[0])
    joined.withLock { $0 = communicator }
    guard communicator.size > 1 else { return }
    let environment = ProcessInfo.processInfo.environment
    if communicator.isFirst, environment["OMPI_COMM_WORLD_SIZE"] != nil {
      Console.standardError.print(
        "Open MPI's mpirun ends the processes two seconds after Ctrl-C, saved or not; 'kill -USR1' of mpirun lets them finish "
          + "the update and save")
    }
    guard !communicator.isFirst else { return }
    Console.quietStandardError()
    let nowhere = open("/dev/null", O_WRONLY)
    if nowhere >= 0 { dup2(nowhere, STDOUT_FILENO) }
  }

  /// Refuses to do one piece of work several times.
  static func requireSole(_ command: String) throws {
    let size = communicator.size
    guard size == 1 else {
      throw UsageError(
        "'hero \(command)' runs as one process, and was started as \(size); start it without mpirun")
    }
  }

  /// The rank of this process among those of the job on this machine.
  static var place: Int { (communicator as? MPICommunicator)?.place ?? 0 }

  /// Returns the number of threads to compute with: this process's share of the machine's cores.
  ///
  /// Returns nil if the environment sets the number, or outside an MPI job.
  static func threads() -> Int? {
    guard CPUBackend.chosenThreads == nil, let job = communicator as? MPICommunicator else { return nil }
    return CoreDivision.threads(job)
  }

  /// Asks all processes, which must call it together, whether one received a signal to stop.
  /// - Throws: `Interruption` on all of them if one did.
  static func agreeToGoOn() throws {
    let signal = communicator.maximum([Double(InterruptHandler.signalReceived ?? 0)])[0]
    if signal > 0 { throw Interruption(signal: Int32(signal)) }
  }

  /// Leaves the job with an exit status.
  ///
  /// After a failure, ends the other processes too.
  static func leave(_ status: Int32, isFailure: Bool) {
    guard let job = communicator as? MPICommunicator else { return }
    if isFailure { job.abort(status: status) }
    fflush(nil)
    job.close(status: status)
  }
}
