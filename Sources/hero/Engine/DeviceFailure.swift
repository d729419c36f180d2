import Foundation

/// Something is wrong with the machine the engine is to run on.
public struct EngineError: Error, CustomStringConvertible {
  /// What is wrong, as a person should read it.
  public let description: String

  /// - Parameter description: what is wrong, as a person should read it.
  public init(_ description: String) { self.description = description }
}

/// Ends the program as a wrong input does: operations cannot fail one by one, and what a run has
/// saved is whole.
func endProgram(_ problem: String) -> Never {
  let message = "hero: error: \(problem)\n"
  try? FileHandle.standardError.write(contentsOf: Data(message.utf8))
  _exit(1)
}

/// The same for a device on which nothing can be trusted any more.
func deviceFailed(_ problem: String) -> Never {
  endProgram("\(problem). See `nvidia-smi` and the system's log; --resume goes on from what was saved.")
}
