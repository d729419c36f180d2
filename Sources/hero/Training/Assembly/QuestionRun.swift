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
    let opened = try OpenedRun(configuration, log: log)
    let trainPath = try assembly.required(configuration.trainQueries, "train_query_txt_db")
    let valPath = configuration.valQueries
    if configuration.family == .inference {
      let model = StatementModel(opened.model.training, backend: backend)
      let loader = try statements(trainPath, opened.reader, opened.model.shape, training: true)
      let validation = try valPath.map {
        try statements($0, opened.reader, opened.model.shape, training: false)
      }
      try opened.model.begin(model.store, folder: folder, resume: resume)
      let learning = StatementLearning(name: configuration.task.rawValue, model: model, loader: loader)
      try Trainer(task: learning, configuration: configuration, folder: folder, log: log) { step in
        guard let validation else { return Validation(scalars: []) }
        return try validate(step, folder) {
          let evaluator = StatementEvaluator(
            model: model, loader: validation, batchSize: configuration.valBatchSize)
          let answers = try evaluator.run()
          return (answers, evaluator.metrics(answers, split: "val"))
        }
      }.run(resume: resume)
    } else {
      let model = QuestionModel(opened.model.training, backend: backend)
      let loader = try questions(trainPath, opened.reader, opened.model.shape, training: true)
      let validation = try valPath.map {
        try questions($0, opened.reader, opened.model.shape, training: false)
      }
      try opened.model.begin(model.store, folder: folder, resume: resume)
      let learning = QuestionLearning(
        name: configuration.task.rawValue, model: model, loader: loader,
        spanWeight: Float(configuration.spanWeight))
      try Trainer(task: learning, configuration: configuration, folder: folder, log: log) { step in
        guard let validation else { return Validation(scalars: []) }
        return try validate(step, folder) {
          let evaluator = QuestionEvaluator(
            model: model, loader: validation, batchSize: configuration.valBatchSize)
          let answers = try evaluator.run()
          return (answers, evaluator.metrics(answers))
        }
      }.run(resume: resume)
    }
  }

  private func validate(
    _ step: Int, _ folder: RunFolder,
    _ run: () throws -> (AnswerEvaluation, [(name: String, value: Double)])
  ) throws -> Validation {
    let (answers, metrics) = try run()
    try answers.results.write(path: "\(folder.results)/val_results_\(step).json")
    var validation = Validation(
      scalars: metrics.map { ("valid_\(configuration.task.rawValue)/\($0.name)", $0.value) })
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

  private func questions(
    _ path: String, _ reader: VideoReader, _ model: ModelConfiguration, training: Bool
  ) throws -> QuestionLoader {
    try QuestionLoader(
      questions: try QAStore(path: path), videos: reader,
      maxTextLength: training ? configuration.maxTextLength : -1, frameInterval: configuration.frameInterval,
      model: model, onSkip: onSkip)
  }

  private func statements(
    _ path: String, _ reader: VideoReader, _ model: ModelConfiguration, training: Bool
  ) throws -> StatementLoader {
    try StatementLoader(
      statements: try ViolinStore(path: path), videos: reader,
      maxTextLength: training ? configuration.maxTextLength : -1, isPaired: training, model: model,
      onSkip: onSkip)
  }

  // MARK: Evaluation

  func evaluate(
    folder: RunFolder, checkpoint name: String, split: String, queries path: String, submission: String?,
    backend: any Backend
  ) throws -> EvaluationRun.Outcome {
    let (file, label) = try folder.checkpoint(named: name)
    let opened = try OpenedRun(configuration, folder: folder, checkpoint: file, log: log)
    let progress = ProgressReporter("Answering", total: nil, unit: "items")
    var done = 0
    let advance = { (count: Int) in
      progress.advance(by: count - done)
      done = count
    }
    let (answers, metrics): (AnswerEvaluation, [(name: String, value: Double)])
    if configuration.family == .inference {
      let model = StatementModel(opened.model.shape, backend: backend)
      try opened.model.load(model.store)
      let evaluator = StatementEvaluator(
        model: model, loader: try statements(path, opened.reader, opened.model.shape, training: false),
        batchSize: configuration.valBatchSize)
      answers = try evaluator.run(progress: advance)
      metrics = evaluator.metrics(answers, split: split)
    } else {
      let model = QuestionModel(opened.model.shape, backend: backend)
      try opened.model.load(model.store)
      let evaluator = QuestionEvaluator(
        model: model, loader: try questions(path, opened.reader, opened.model.shape, training: false),
        batchSize: configuration.valBatchSize)
      answers = try evaluator.run(progress: advance)
      metrics = evaluator.metrics(answers)
    }
    progress.finish()
    let output = folder.evaluationResults(split: split)
    try OutputPlace.make(folder: output)
    let result = "\(output)/results_\(label)_all.json"
    try answers.results.write(path: result)
    // The servers of TVQA, How2QA and VIOLIN take {id: answer} as it is.
    if let submission { try answers.results.write(path: submission) }
    return EvaluationRun.Outcome(
      path: result, scalars: answers.known > 0 ? metrics : [],
      table: Self.table(answers, title: "\(configuration.task.rawValue), \(split)"))
  }
}
