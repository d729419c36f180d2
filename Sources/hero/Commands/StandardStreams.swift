import Formats
@preconcurrency import Foundation

/// Standard input, output and error in the state in which the program receives them.
enum StandardStreams {
  /// Occupies the descriptors of closed streams, which still cannot be read or written.
  ///
  /// Otherwise the next opened file would get such a descriptor, and messages would go into it.
  static func occupy() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Runs work with its results sent to standard error, as other results are printed after it.
  static func onStandardError<Result>(_ work: () throws -> Result) rethrows -> Result {
    fflush(stdout)
    let output = dup(STDOUT_FILENO)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    defer {
      fflush(stdout)
      if output >= 0 {
        dup2(output, STDOUT_FILENO)
        close(output)
      }
    }
    return try work()
  }

  /// Whether everything printed has reached standard output.
  static var isWritten: Bool { fflush(stdout) == 0 && ferror(stdout) == 0 }
}
