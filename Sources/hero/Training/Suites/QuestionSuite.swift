import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// The suite that answers about videos: questions (TVQA, How2QA, VLEP) and statements (VIOLIN).
struct QuestionSuite<Model: AnsweringModel>: EvaluableSuite {
  let run: RunContext

  func learning(_ model: Model, _ videos: VideoReader) throws -> Learning {
    let mixture =
      try run.isTrained
      ? Mixture(source(model, videos)) : Mixture(untrained: configuration.task.rawValue, model.store)
    let splits = try validated(model, videos)
    return Learning(mixture: mixture) { try validate(splits, step: $0, results: $1) }
  }

  private func source(_ model: Model, _ videos: VideoReader) throws -> QuestionSource<Model> {
    let loader = try loader(
      model, videos, try configuration.required(\.trainQueries),
      .training(maxTextLength: configuration.maxTextLength))
    try loader.requireTruth()
    return QuestionSource(
      name: configuration.task.rawValue, model: model, loader: loader,
      spanWeight: Model.Store.hasMoments ? Float(configuration.spanWeight) : 0)
  }

  private func loader(
    _ model: Model, _ videos: VideoReader, _ store: String, _ purpose: QuestionLoader<Model.Store>.Purpose
  ) throws -> QuestionLoader<Model.Store> {
    let store: Model.Store = try run.stores.texts(store)
    try configuration.task.require(store.meta, path: store.path)
    return try QuestionLoader(
      store, videos: videos, purpose: purpose, frameInterval: configuration.frameInterval,
      model: model.configuration, skips: SkipReport(log: log))
  }

  /// Opens the splits to validate on, each with its evaluator.
  private func validated(
    _ model: Model, _ videos: VideoReader
  ) throws -> [(split: String, evaluator: QuestionEvaluator<Model>)] {
    try [("val", configuration.valQueries), ("test", configuration.testQueries)].compactMap { split, store in
      try store.map { store in
        let loader = try loader(model, videos, store, .evaluation)
        try loader.requireUsable()
        return (split, QuestionEvaluator([(model, loader)], batchSize: configuration.valBatchSize))
      }
    }
  }

  private func validate(
    _ splits: [(split: String, evaluator: QuestionEvaluator<Model>)], step: Int, results: String
  ) throws -> Validation {
    var result = Validation()
    for (split, evaluator) in splits {
      let report = try report(evaluator, split: split, title: "\(split), update \(step)")
      try report.write("\(results)/\(split)_results_\(step).json", communicator)
      // A split with hidden answers has predictions only.
      result.add(report, of: split, group: group(of: split))
    }
    return result
  }

  func evaluate(
    _ members: [(model: Model, videos: VideoReader)], store: String, split: String
  ) throws -> SplitReport {
    let evaluator = QuestionEvaluator(
      try members.map { ($0.model, try loader($0.model, $0.videos, store, .evaluation)) },
      batchSize: configuration.valBatchSize)
    return try report(evaluator, split: split, title: "\(configuration.task.rawValue), \(split)")
  }

  private func report(
    _ evaluator: QuestionEvaluator<Model>, split: String, title: String
  ) throws -> SplitReport {
    let answers = try ProgressReporter.follow("Answering", total: evaluator.itemCount, unit: "items") {
      progress in try evaluator.run(among: communicator, progress: progress)
    }
    let (answered, all) = (answers.results.rows.count, evaluator.itemCount)
    if answered < all { log.warning("\(split): answers and figures are of \(answered) of \(all) items") }
    if answers.known > 0, let first = answers.hidden.first {
      log.warning(
        "\(split): the right answer of \(answers.hidden.count) of \(answered) items, the first \(first), is not known; "
          + "no figure counts them")
    }
    var report = SplitReport { try answers.results.write(path: $0) }
    report.logits = answers.logits
    report.scalars = evaluator.metrics(answers, split: split)
    guard let accuracy = answers.accuracy, let loss = answers.loss else { return report }
    var table = MetricsTable(title: title, headings: ["", "value"])
    table.add("accuracy, %", [100 * accuracy])
    table.add("loss", [loss])
    report.table = table
    report.headline = ("accuracy", accuracy, true)
    report.figure = .accuracy(accuracy)
    return report
  }
}
