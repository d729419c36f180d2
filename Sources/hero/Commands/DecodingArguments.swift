import ArgumentParser
import Model
import Training

/// The options by which commands search for captions.
struct DecodingArguments: ParsableArguments {
  @Option(help: "Hypotheses of a caption kept at each step.")
  var beam = 1

  @Option(help: "Beams rank by log probability / length to this power.")
  var lengthPenalty: DecimalNumber = 1.0

  /// The maximum width of a beam; more hypotheses fit into no memory.
  private static let widest = 1000

  /// Whether the search differs from the reference's greedy one.
  var isGiven: Bool { beam != 1 || lengthPenalty != 1.0 }

  /// Returns the options of the search.
  ///
  /// - Throws: `UsageError` for values that are out of range or have no effect.
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
