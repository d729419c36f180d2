import Foundation
import Synchronization

/// Lets long work end in order on Ctrl-C, `kill` or a closed terminal: the first signal is remembered, the second ends the program.
public enum InterruptHandler {
  // Touched inside a signal handler: statically initialised, lock-free, and no more than that.
  private static let received = Atomic<Int32>(0)

  /// Begins to catch SIGINT, SIGTERM, and SIGHUP unless it is ignored (`nohup`).
  public static func install() {
    var hangup = sigaction()
    sigaction(SIGHUP, nil, &hangup)
    let ignoresHangup = unsafeBitCast(hangup.__sigaction_handler.sa_handler, to: Int.self) == 1
    let signals = [SIGINT, SIGTERM] + (ignoresHangup ? [] : [SIGHUP])
    for caught in signals {
      signal(caught) { number in
        let (exchanged, _) = InterruptHandler.received.compareExchange(
          expected: 0, desired: number, ordering: .sequentiallyConsistent)
        if !exchanged { _exit(128 + number) }
      }
    }
    // A program that starts this one from a thread of its own may have left them blocked.
    var caught = sigset_t()
    sigemptyset(&caught)
    for signal in signals { sigaddset(&caught, signal) }
    pthread_sigmask(SIG_UNBLOCK, &caught, nil)
  }

  /// The signal that came, if one did.
  public static var signalReceived: Int32? {
    let number = received.load(ordering: .sequentiallyConsistent)
    return number == 0 ? nil : number
  }

  /// Whether to stop at the next good moment.
  public static var isInterrupted: Bool { signalReceived != nil }

  /// Does nothing, or throws ``Interruption`` if a signal came.
  public static func check() throws {
    if let number = signalReceived { throw Interruption(signal: number) }
  }
}

/// The user stopped the program.
public struct Interruption: Error, Equatable, Sendable {
  public let signal: Int32
  public init(signal: Int32) { self.signal = signal }
  /// What shells expect of a program that a signal ended: 130 for Ctrl-C.
  public var exitStatus: Int32 { 128 + signal }
}
