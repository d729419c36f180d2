import ArgumentParser
import Model
import Training

/// How commands that caption search for captions.
struct DecodingArguments: ParsableArguments {
  @Option(help: "Hypotheses of a caption kept at each step.")
  var beam = 1

  @Option(help: "Beams rank by log probability / length to this power.")
  var lengthPenalty: DecimalNumber = 1.0

  /// Hypotheses beyond this would not fit into any memory.
  private static let widest = 1000

  /// Whether a wider search than the reference's was asked for.
  var isGiven: Bool { beam != 1 || lengthPenalty != 1.0 }

  /// - Throws: `UsageError` for values out of range, or that would change nothing.
  func options() throws -> DecodingOptions {
    guard (1...Self.widest).contains(beam) else {
      throw UsageError("--beam must be from 1 to \(Self.widest)")
    }
    guard abs(lengthPenalty.value) <= 100 else {
      throw UsageError("--length-penalty must be a number from -100 to 100")
    }
    if beam == 1 {
      try FlagConflicts.refuse(["--length-penalty": lengthPenalty != 1.0], "--beam 1 keeps nothing to rank")
    }
    var options = DecodingOptions()
    options.beams = beam
    options.lengthPenalty = Float(lengthPenalty.value)
    return options
  }
}
