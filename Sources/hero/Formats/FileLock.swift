import Foundation

/// The system's lock on an open file, which ends with the process that has it.
public enum FileLock {
  /// What became of asking for it.
  public enum Outcome { case got, isTaken, isUnknown }

  /// Takes the lock for this process alone, without waiting.
  /// - Parameter descriptor: of the open file.
  /// - Returns: `isUnknown` on a file system without locks, as some network file systems are.
  ///   Nothing then keeps a second process away; a caller that needs to know must write it into a
  ///   file.
  public static func take(_ descriptor: Int32) -> Outcome {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      return errno == EWOULDBLOCK ? .isTaken : .isUnknown
    }
    return .got
  }

  /// Gives the lock back and closes the file.
  ///
  /// The lock belongs to the open file, not to the descriptor: a child that another thread has just
  /// forked holds it till it executes its program (`O_CLOEXEC` acts no sooner). Closing alone would
  /// leave the lock with that child.
  public static func close(_ descriptor: Int32) {
    while flock(descriptor, LOCK_UN) != 0, errno == EINTR {}
    Foundation.close(descriptor)
  }
}
