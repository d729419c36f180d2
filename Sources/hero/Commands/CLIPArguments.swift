import ArgumentParser
import Formats

/// Properties of a CLIP that its weights may not state.
struct CLIPArguments: ParsableArguments {
  @Option(
    file:
      "CLIP's words: bpe_simple_vocab_16e6.txt.gz, or a folder with vocab.json and merges.txt; by default beside its weights.",
    "path", name: .customLong("clip-vocabulary"))
  var vocabulary: String?

  @Option(
    name: .customLong("clip-activation"),
    help: ArgumentHelp(
      "What CLIP was trained with, where no file says it: quick_gelu (OpenAI's) or gelu (LAION's).",
      valueName: "name"))
  var activation: CLIPActivation?
}
