import Formats
@preconcurrency import Foundation

/// Standard input, output and error, as whoever starts the program leaves them.
enum StandardStreams {
  /// Takes the numbers of those that are closed: the next file that is opened would get them, and
  /// the program's messages would go into it. Reading and writing them fails as before.
  static func occupy() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Runs work whose results go to standard error, since others are printed after it.
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

  /// Whether all that was printed has reached standard output.
  static var isWritten: Bool { fflush(stdout) == 0 && ferror(stdout) == 0 }
}
