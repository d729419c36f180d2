import ArgumentParser
import Training

/// A number that a flag takes, in decimal digits as Python reads it: Swift also reads `0x2`, which
/// is a slip of the pen here, and `nan`.
struct DecimalNumber: ExpressibleByArgument, ExpressibleByFloatLiteral, Equatable {
  var value: Double

  init(_ value: Double) { self.value = value }

  init(floatLiteral value: Double) { self.value = value }

  init?(argument: String) {
    guard let value = Double(words: [argument]) else { return nil }
    self.value = value
  }

  var defaultValueDescription: String { "\(value)" }
}

/// `--frame-length`, as the stores that are made by it are read.
enum FrameLength {
  /// - Throws: `UsageError` for a number of seconds that no run reads.
  static func require(_ seconds: Double) throws {
    let known = RunOptions.shared.frameInterval
    guard known.accepted(.double(seconds)) == nil else { return }
    throw UsageError("--frame-length must be \(known.expectation), not \(seconds)")
  }
}
