import Foundation

/// The system's lock on an open file, which ends with the process that holds it.
public enum FileLock {
  /// The result of asking for a lock.
  public enum Outcome { case got, isTaken, isUnknown }

  /// Takes the lock for this process alone, without waiting.
  /// - Parameter descriptor: the descriptor of the open file.
  /// - Returns: `isUnknown` on a file system without locks, as some network file systems are.
  ///   Nothing then keeps a second process away, so a caller that needs to know must write it into
  ///   a file.
  public static func take(_ descriptor: Int32) -> Outcome {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      return errno == EWOULDBLOCK ? .isTaken : .isUnknown
    }
    return .got
  }

  /// Releases the lock and closes the file.
  ///
  /// The lock belongs to the open file, not to the descriptor. A child that another thread has just
  /// forked holds it until it executes its program, when `O_CLOEXEC` acts. Closing alone would
  /// leave the lock with that child.
  public static func close(_ descriptor: Int32) {
    while flock(descriptor, LOCK_UN) != 0, errno == EINTR {}
    Foundation.close(descriptor)
  }
}
