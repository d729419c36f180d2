import Demo
import Metrics
import Model
import Training

/// The labels and the names of the recalls that the demo shows.
private let retrievalFigures = [
  ("moment among all videos, R@1 at IoU 0.5, %", "VCMR_0.5-r1"),
  ("moment in its video, R@1 at IoU 0.5, %", "SVMR_0.5-r1"), ("video, R@1, %", "VR_r1"),
]

extension DemoCommand {
  /// Measures the last checkpoint on the test videos.
  func report(
    _ task: RunTask, _ corpus: DemoCorpus, _ learnt: inout MetricsTable, _ reached: inout DemoFigures
  ) throws {
    func add(_ name: String, _ chance: Double?, _ value: Double?) {
      learnt.add("\(task.rawValue): \(name)", [chance, value])
      reached.add("\(task.rawValue): \(name)", value)
    }
    let training = self.training(DemoTraining(task))
    let saved = try RunFolder(path: "\(output)/runs/\(training.name)").latestState { _ in }
    reached.add(
      "\(task.rawValue): arrays without a gradient",
      try saved.map { Double(try $0.parametersWithoutGradient().names.count) })
    guard task.family != .captioning else {
      for (name, value) in try captionScores(training) where name == "CIDEr" || name == "Bleu_4" {
        add("captions, \(name)", nil, value)
      }
      return
    }
    let figures = try evaluate(training)
    let chance = corpus.chance(of: task.demo)
    switch task.family {
    case .momentRetrieval, .videoRetrieval:
      for (label, name) in retrievalFigures where figures[name] != nil {
        add(label, chance[name], figures[name])
      }
    default:
      let label = task.family == .inference ? "statements judged, %" : "questions answered, %"
      let accuracy = figures.first { $0.key.hasSuffix("acc") }?.value
      add(label, chance["acc"], accuracy.map { 100 * $0 })
    }
  }

  /// Returns a table of what pre-training gains with few labels.
  func gain(_ reached: inout DemoFigures) throws -> MetricsTable {
    var table = MetricsTable(
      title: "\(DemoTraining.labels) labelled queries, on test videos",
      headings: ["", "random start", "pre-trained", "gain"])
    let (random, pretrained) = (
      try evaluate(training(.fewLabels)), try evaluate(training(.fewLabelsPretrained))
    )
    for (label, name) in retrievalFigures + [("video, R@5, %", "VR_r5")] {
      if let before = random[name], let after = pretrained[name] {
        table.add(label, [before, after, after - before])
        reached.add("few labels: \(label)", before)
        reached.add("few labels, pre-trained: \(label)", after)
      }
    }
    return table
  }

  /// Returns the metrics on the test videos, by name without the split.
  private func evaluate(_ training: DemoTraining) throws -> [String: Double] {
    let run = "\(output)/runs/\(training.name)"
    let queries = "\(output)/txt_db/\(training.task.demo.rawValue)_test.db"
    let arguments =
      ["--split", "test", "--query-txt-db", queries, "--output-dir", run, "--checkpoint", "latest"]
      + device.arguments
    show(["eval"] + arguments)
    let outcome = try Eval.parse(arguments).outcome(RunLog())
    if let table = outcome.report.table { print(table.rendered()) }
    // Recalls after suppression have the same names within groups of their own.
    let plain = outcome.report.scalars.filter { !$0.name.contains("_nms_") }
    return Dictionary(plain.map { (String($0.name.split(separator: "/").last ?? ""), $0.value) }) { $1 }
  }

  private func captionScores(_ training: DemoTraining) throws -> [(name: String, value: Double)] {
    let run = "\(output)/runs/\(training.name)"
    let (clips, captions) = (
      "\(output)/corpus/ann/\(training.task.demo.rawValue)_test.jsonl",
      "\(output)/\(training.task.rawValue)_captions.jsonl"
    )
    let arguments =
      ["--model-dir", run, "--ckpt-step", "latest", "--target-clip", clips, "--output", captions, "--score"]
      + device.arguments
    show(["caption"] + arguments)
    let (written, rows) = try Caption.parse(arguments).captions(RunLog())
    let scores = try CaptionScorer(written, references: rows, meteor: nil)
    print(MetricsTable(scores, title: "captions of test clips").rendered())
    for (caption, clip) in zip(written, rows).prefix(3) {
      print("  \(caption.captions[0])\n    people wrote: \(clip.captions.first ?? "")")
    }
    return scores.corpus
  }
}
