import Synchronization

/// The user's request to stop; ranks that share work agree on it, so that all stop at the same
/// place.
public struct Interruption: Error, Equatable, Sendable {
  /// The signal's number, such as `SIGINT`.
  public let signal: Int32
  /// - Parameter signal: the signal's number.
  public init(signal: Int32) { self.signal = signal }
  /// The status that shells expect of a program that a signal ended: 130 for Ctrl-C.
  public var exitStatus: Int32 { 128 + signal }

  /// The first signal that asked the program to stop, 0 for none; a signal handler sets it, so it
  /// is statically initialised and lock-free.
  public static let received = Atomic<Int32>(0)
}
