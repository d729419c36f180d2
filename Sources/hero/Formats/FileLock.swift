import Foundation

/// The system's lock on an open file, which ends with the process that has it.
public enum FileLock {
  /// What became of asking for it.
  public enum Outcome { case got, isTaken, isUnknown }

  /// Takes the lock for this process alone, without waiting.
  /// - Parameter descriptor: of the open file.
  /// - Returns: `isUnknown` where the file system has no locks, as some network file systems have none: nothing then keeps
  ///   a second process away, and whoever needs to know better must write it into a file.
  public static func take(_ descriptor: Int32) -> Outcome {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      return errno == EWOULDBLOCK ? .isTaken : .isUnknown
    }
    return .got
  }
}
