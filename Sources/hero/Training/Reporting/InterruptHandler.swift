import Engine
import Foundation
import Synchronization

/// A handler that lets long work end in order on Ctrl-C, `kill` or a closed terminal.
///
/// It remembers the first signal. The second one ends the program.
public enum InterruptHandler {
  // The signal handler touches these: they are statically initialised and lock-free.
  /// The time of the first signal, in whole seconds.
  ///
  /// A launcher may forward one request several times.
  private static let receivedAt = Atomic<Int>(0)
  private static let isLaunched = Atomic<Bool>(false)

  /// Begins to catch SIGINT, SIGTERM, and SIGHUP unless it is ignored (`nohup`).
  /// - Parameter launched: whether a launcher of several processes started this one and forwards
  ///   its signals. The terminal may signal the process as well, so a second signal counts only
  ///   some seconds later. SIGUSR1, which every launcher forwards without ending any process, is a
  ///   request to stop too.
  public static func install(launched: Bool = false) {
    isLaunched.store(launched, ordering: .relaxed)
    var hangup = sigaction()
    sigaction(SIGHUP, nil, &hangup)
    let ignoresHangup = unsafeBitCast(hangup.__sigaction_handler.sa_handler, to: Int.self) == 1
    let signals = [SIGINT, SIGTERM] + (ignoresHangup ? [] : [SIGHUP]) + (launched ? [SIGUSR1] : [])
    for caught in signals {
      signal(caught) { number in
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let (exchanged, _) = Interruption.received.compareExchange(
          expected: 0, desired: number == SIGUSR1 ? SIGTERM : number, ordering: .sequentiallyConsistent)
        if exchanged { return InterruptHandler.receivedAt.store(now.tv_sec, ordering: .relaxed) }
        let isEcho =
          InterruptHandler.isLaunched.load(ordering: .relaxed)
          && now.tv_sec - InterruptHandler.receivedAt.load(ordering: .relaxed) < 3
        if !isEcho { _exit(128 + number) }
      }
    }
    // A program that starts this one from a thread of its own may have left the signals blocked.
    var caught = sigset_t()
    sigemptyset(&caught)
    for signal in signals { sigaddset(&caught, signal) }
    pthread_sigmask(SIG_UNBLOCK, &caught, nil)
  }

  /// The signal that was received; nil if none was.
  public static var signalReceived: Int32? {
    let number = Interruption.received.load(ordering: .sequentiallyConsistent)
    return number == 0 ? nil : number
  }

  /// Whether to stop at the next safe point.
  public static var isInterrupted: Bool { signalReceived != nil }

  /// Throws ``Interruption`` if a signal was received.
  public static func check() throws {
    if let number = signalReceived { throw Interruption(signal: number) }
  }
}
