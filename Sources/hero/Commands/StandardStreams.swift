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

  /// Whether all that was printed has reached standard output.
  static var isWritten: Bool { fflush(stdout) == 0 && ferror(stdout) == 0 }
}
