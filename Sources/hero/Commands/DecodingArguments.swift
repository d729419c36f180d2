import ArgumentParser
import Model
import Training

/// How commands that caption search for captions.
struct DecodingArguments: ParsableArguments {
  @Option(help: "Hypotheses of a caption kept at each step.")
  var beam = 1

  @Option(help: "Beams rank by log probability / length to this power.")
  var lengthPenalty: Float = 1

  func options() throws -> DecodingOptions {
    guard beam >= 1 else { throw UsageError("--beam must be at least 1") }
    var options = DecodingOptions()
    options.beams = beam
    options.lengthPenalty = lengthPenalty
    return options
  }
}
