import ArgumentParser
import Demo
import Formats
import Foundation
import Training

/// `hero demo`: goes all the way from annotations to metrics, on a generated corpus.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Make a small corpus, train on it and show what was learnt.",
    discussion: """
      Shows every command that it runs; each can be repeated by hand. The corpus is synthetic: people do things with \
      objects at places and talk, features are computed from the drawn pictures, and test videos combine what \
      training videos show apart. "pretrain" learns from the videos alone, then finds moments with few labels, with \
      and without what it learnt. After tvr the videos can be searched and watched in a page.
      """)

  @Option(help: ArgumentHelp("Folder to make.", valueName: "folder"), completion: .directory)
  var output = "demo"

  @Option(
    parsing: .upToNextOption, help: "What to train, in this order: pretrain, or any task of 'hero finetune'.")
  var tasks: [RunTask] = [.tvr, .pretrain, .tvc, .tvqa]

  @Option(
    help: ArgumentHelp("Videos to train on; a tenth as many each to validate and test.", valueName: "count"))
  var videos = DemoOptions().trainVideos

  @Option(
    help: ArgumentHelp(
      "Updates of a task; pre-training has twice as many, few labels a third.", valueName: "count"))
  var updates = DemoTraining(.tvr).updates

  @Option(help: ArgumentHelp("Seed of every training; the corpus stays the same.", valueName: "number"))
  var seed = 1

  @Option(help: ArgumentHelp("Write what was reached as JSON, by name.", valueName: "file"))
  var figures: String?

  @Option(
    help: ArgumentHelp(
      "Compare what was reached with bands, {\"name\": [lowest, highest]}; exits with 1 where something is outside.",
      valueName: "file"))
  var compare: String?

  @OptionGroup var device: DeviceArguments

  func run() throws {
    guard updates >= 1 else { throw UsageError("--updates must be at least 1") }
    guard videos >= 10 else { throw UsageError("--videos must be at least 10") }
    guard !tasks.isEmpty else {
      throw UsageError("--tasks takes " + RunTask.allCases.map(\.rawValue).joined(separator: ", "))
    }
    guard Set(tasks).count == tasks.count else { throw UsageError("--tasks takes each task once") }
    guard seed >= 0 else { throw UsageError("--seed must be 0 or more") }
    try Processes.requireSole("demo")
    InterruptHandler.install()
    try requireOutput()
    let corpus = try makeDemoCorpus(
      at: "\(output)/corpus", options: corpusOptions, say: Console.standardError.print)
    try makeStores()
    try write(modelConfiguration(), to: "model")
    var learnt = MetricsTable(
      title: "what was learnt, on test videos never trained on", headings: ["", "chance", "hero"])
    var gain: MetricsTable?
    var reached = DemoFigures()
    for task in tasks {
      if task == .pretrain {
        gain = try pretrain(&reached)
      } else {
        try finetune(training(DemoTraining(task)))
        try report(task, corpus, &learnt, &reached)
      }
    }
    for table in [gain, learnt] {
      if let table, !table.rows.isEmpty { print(table.rendered()) }
    }
    if let figures { try reached.write(to: figures) }
    if tasks.contains(.tvr) { try showVideos(corpus) }
    if let compare { try judge(reached, compare) }
  }

  /// Checks that all outputs can be written, before any work is done.
  private func requireOutput() throws {
    let cure = "Move it, or give another --output"
    let names =
      ["model", DemoTraining.fewLabels.name, DemoTraining.fewLabelsPretrained.name]
      + RunTask.allCases.map(\.rawValue)
    for name in names where FileManager.default.isFolder(output) {
      try OutputFile.require("\(output)/\(name).json", overwrites: false, cure: cure)
    }
    guard let figures else { return }
    let folder = URL(fileURLWithPath: figures).deletingLastPathComponent().path
    // The demo makes its own folder.
    if folder != URL(fileURLWithPath: output).path || FileManager.default.isFolder(output) {
      try OutputFile.require(figures, overwrites: false, cure: "Remove it, or give another name")
    }
  }

  private func judge(_ reached: DemoFigures, _ path: String) throws {
    let (table, outside) = try reached.compared(with: path)
    print(table.rendered())
    guard outside.isEmpty else {
      throw DataError(
        "what was learnt is outside its band: \(outside.joined(separator: "; "))", file: path,
        cure: "Find which change did it; new bands come from three seeds or more")
    }
  }

  private var corpusOptions: DemoOptions {
    var options = DemoOptions()
    options.trainVideos = videos
    (options.valVideos, options.testVideos) = (videos / 10, videos / 10)
    return options
  }

  /// Returns a training with its updates scaled by `--updates`.
  func training(_ training: DemoTraining) -> DemoTraining {
    training.shortened(to: Double(updates) / Double(DemoTraining(.tvr).updates))
  }

  /// Trains one task.
  /// - Parameter start: the checkpoint to start from; nil for random weights.
  private func finetune(_ training: DemoTraining, start: String? = nil) throws {
    try write(configuration(of: training), to: training.name)
    let captioner = checkpoint(of: self.training(DemoTraining(.tvc)))
    var start = start
    // Questions and statements start from the captioner if it was trained before, as it has learnt
    // what words look like.
    if [.questionAnswering, .inference].contains(training.task.family),
      FileManager.default.fileExists(atPath: captioner)
    {
      start = captioner
    }
    try hero(
      ["finetune", "--config", "\(output)/\(training.name).json"]
        + (start.map { ["--checkpoint", $0] } ?? []) + device.arguments)
  }

  /// Pre-trains on the videos without labels, then trains on few labels twice.
  ///
  /// One training starts from random weights, the other from the pre-trained ones.
  private func pretrain(_ reached: inout DemoFigures) throws -> MetricsTable {
    let training = self.training(.pretraining)
    try write(pretrainingConfiguration(training), to: training.name)
    try hero(["pretrain", "--config", "\(output)/\(training.name).json"] + device.arguments)
    try makeFewLabels()
    try finetune(self.training(.fewLabels))
    try finetune(self.training(.fewLabelsPretrained), start: checkpoint(of: training))
    return try gain(&reached)
  }

  /// Returns the path of a training's last checkpoint.
  func checkpoint(of training: DemoTraining) -> String {
    "\(output)/runs/\(training.name)/ckpt/model_step_\(training.updates).safetensors"
  }

  /// Prints and runs one command of this program.
  func hero(_ arguments: [String]) throws {
    show(arguments)
    let status = Program.run(arguments: arguments)
    guard status == 0 else { throw ExitCode(status) }
  }

  /// Prints a command of this program as a user would type it.
  func show(_ arguments: [String]) {
    Console.standardError.print("\n$ \(ShellWords.line(["hero"] + arguments))")
  }

  private func write(_ configuration: JSON, to name: String) throws {
    try AtomicFile.write(configuration.encoded(style: .pretty), to: "\(output)/\(name).json")
  }
}
