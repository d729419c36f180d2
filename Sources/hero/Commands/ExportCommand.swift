import ArgumentParser
import Training

extension RunExport.Format: ExpressibleByArgument {}

/// `hero export`: writes a run's weights for another program.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a run's weights as the reference, or another program, reads them.",
    discussion: """
      Writes ckpt/model_step_N.pt into the run's folder, where the reference's eval_vcmr.py and its other scripts look \
      for it, or the file that --output names. Parameters have the reference's names.

        hero export --output-dir runs/tvr --checkpoint best --format pt

      For Hugging Face's Hub, a folder with weights, their shape and a model card:

        hero export --output-dir runs/tvr --format hub --output hero-tvr
      """)

  @Option(folder: "Folder of the run.")
  var outputDir: String

  @Option(checkpoint: "A step, 'best', 'latest' or a file.")
  var checkpoint = "best"

  @Option(
    help: ArgumentHelp(
      "The format: PyTorch's, safetensors, or a folder in the layout of Hugging Face's Hub. By default what the name of "
        + "--output says, else PyTorch's."))
  var format: RunExport.Format?

  @Option(file: "File to write, or of hub the folder.")
  var output: String?

  @Flag(help: "Replace the file to write, if it is there.")
  var overwrite = false

  func run() throws {
    try Processes.requireSole("export")
    print(
      try RunExport(path: outputDir).run(
        checkpoint: checkpoint, format: format, output: output, overwrites: overwrite))
  }
}
