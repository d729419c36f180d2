import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// Fine-tuning and evaluating what is answered about videos: TVQA, How2QA (questions) and VIOLIN (statements).
struct QuestionRun {
  let configuration: RunConfiguration
  let log: RunLog
  private var assembly: RunAssembly { RunAssembly(configuration: configuration) }
  private var onSkip: @Sendable (DataError) -> Void {
    let skipped = SkippedItems(log: log)
    return { skipped($0) }
  }

  // MARK: Training

  func finetune(folder: RunFolder, resume: Bool, backend: any Backend) throws {
    if configuration.family == .inference {
      try finetune(StatementModel.self, folder: folder, resume: resume, backend: backend)
    } else {
      try finetune(QuestionModel.self, folder: folder, resume: resume, backend: backend)
    }
  }

  private func finetune<Model: AnsweringModel>(
    _: Model.Type, folder: RunFolder, resume: Bool, backend: any Backend
  ) throws {
    let opened = try OpenedRun(configuration, log: log)
    let model = Model(opened.model.training, backend: backend)
    let loader: QuestionLoader<Model.Store> = try loader(
      assembly.required(configuration.trainQueries, "train_query_txt_db"), opened,
      .training(maxTextLength: configuration.maxTextLength))
    let validation: QuestionEvaluator<Model>? = try configuration.valQueries.map { path in
      try QuestionEvaluator(
        model: model, loader: self.loader(path, opened, .evaluation), batchSize: configuration.valBatchSize)
    }
    try opened.model.begin(model.store, folder: folder, resume: resume)
    let learning = QuestionLearning(
      name: configuration.task.rawValue, model: model, loader: loader,
      spanWeight: Float(configuration.spanWeight))
    try Trainer(task: learning, configuration: configuration, folder: folder, log: log) { step in
      guard let validation else { return Validation(scalars: []) }
      return try validate(step, folder, validation)
    }.run(resume: resume)
  }

  private func validate<Model>(
    _ step: Int, _ folder: RunFolder, _ evaluator: QuestionEvaluator<Model>
  ) throws -> Validation {
    let answers = try self.answers(evaluator)
    try answers.results.write(path: "\(folder.results)/val_results_\(step).json")
    var validation = Validation(
      scalars: evaluator.metrics(answers, split: "val").map {
        ("valid_\(configuration.task.rawValue)/\($0.name)", $0.value)
      })
    validation.table = Self.table(answers, title: "val, update \(step)")
    if let accuracy = answers.accuracy { validation.headline = ("accuracy", accuracy, true) }
    return validation
  }

  static func table(_ answers: AnswerEvaluation, title: String) -> MetricsTable? {
    guard let accuracy = answers.accuracy, let loss = answers.loss else { return nil }
    var table = MetricsTable(title: title, headings: ["", "value"])
    table.add("accuracy, %", [100 * accuracy])
    table.add("loss", [loss])
    return table
  }

  private func loader<Store>(
    _ path: String, _ opened: OpenedRun, _ purpose: QuestionLoader<Store>.Purpose
  ) throws -> QuestionLoader<Store> {
    try QuestionLoader(
      Store(path: path), videos: opened.reader, purpose: purpose, frameInterval: configuration.frameInterval,
      model: opened.model.shape, onSkip: onSkip)
  }

  // MARK: Evaluation

  func evaluate(
    folder: RunFolder, checkpoint: String, split: String, queries: String, submission: String?,
    backend: any Backend
  ) throws -> EvaluationRun.Outcome {
    let (file, label) = try folder.checkpoint(named: checkpoint)
    let opened = try OpenedRun(configuration, folder: folder, checkpoint: file, log: log)
    let (answers, metrics) =
      configuration.family == .inference
      ? try evaluate(StatementModel.self, opened, queries, split: split, backend: backend)
      : try evaluate(QuestionModel.self, opened, queries, split: split, backend: backend)
    let output = folder.evaluationResults(split: split)
    try OutputPlace.make(folder: output)
    let result = "\(output)/results_\(label)_all.json"
    try answers.results.write(path: result)
    // The servers of TVQA, How2QA and VIOLIN take {id: answer} as it is.
    if let submission { try answers.results.write(path: submission) }
    return EvaluationRun.Outcome(
      path: result, scalars: metrics,
      table: Self.table(answers, title: "\(configuration.task.rawValue), \(split)"))
  }

  private func evaluate<Model: AnsweringModel>(
    _: Model.Type, _ opened: OpenedRun, _ queries: String, split: String, backend: any Backend
  ) throws -> (AnswerEvaluation, [(name: String, value: Double)]) {
    let model = Model(opened.model.shape, backend: backend)
    try opened.model.load(model.store)
    let evaluator = QuestionEvaluator(
      model: model, loader: try loader(queries, opened, .evaluation), batchSize: configuration.valBatchSize)
    let answers = try answers(evaluator)
    return (answers, evaluator.metrics(answers, split: split))
  }

  private func answers<Model>(_ evaluator: QuestionEvaluator<Model>) throws -> AnswerEvaluation {
    try ProgressReporter.follow("Answering", total: evaluator.itemCount, unit: "items") { progress in
      try evaluator.run(progress: progress)
    }
  }
}
