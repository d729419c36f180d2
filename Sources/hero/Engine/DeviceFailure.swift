import Foundation

/// A problem with the machine that the engine runs on, or with its settings.
public struct EngineError: Error, CustomStringConvertible {
  /// The problem, in words for the user.
  public let description: String

  /// - Parameter description: the problem, in words for the user.
  public init(_ description: String) { self.description = description }
}

/// Ends the program with a message and status 1, as wrong input does.
///
/// Operations cannot fail one by one, and the files that a run has saved are complete.
func endProgram(_ problem: String) -> Never {
  let message = "hero: error: \(problem)\n"
  try? FileHandle.standardError.write(contentsOf: Data(message.utf8))
  _exit(1)
}

/// Ends the program after a device failed, since none of its results can be trusted.
func deviceFailed(_ problem: String) -> Never {
  endProgram("\(problem). See `nvidia-smi` and the system's log; --resume goes on from what was saved.")
}
