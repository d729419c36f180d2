import ArgumentParser
import Training

/// A number that a flag takes, in decimal digits as Python reads it.
///
/// Swift would also accept `nan` and `0x2`, which is a typing error here.
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

/// The check of `--frame-length`, with the same range as the runs that read the stores.
enum FrameLength {
  /// Checks the seconds between frames.
  ///
  /// - Throws: `UsageError` for a number of seconds that no run accepts.
  static func require(_ seconds: Double) throws {
    let known = RunOptions.shared.frameInterval
    guard known.accepted(.double(seconds)) == nil else { return }
    throw UsageError("--frame-length must be \(known.expectation), not \(seconds)")
  }
}
