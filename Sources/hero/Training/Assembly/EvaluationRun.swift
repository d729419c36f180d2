import Engine
import Formats
import Metrics

/// `hero eval`: a checkpoint of a run against a split.
public struct EvaluationRun {
  /// What an evaluation leaves.
  public struct Outcome {
    /// The result file.
    public let path: String
    /// Figures by the reference's names; empty for a hidden split.
    public let scalars: [(name: String, value: Double)]
    /// The same for people.
    public let table: MetricsTable?

    /// The figures and the file's path as one object.
    public var json: JSON {
      var object: JSONObject = ["results": .string(path)]
      for (name, value) in scalars { object[name] = .double(value) }
      return .object(object)
    }
  }

  /// The run's options, with those that the evaluation overrules.
  public var configuration: RunConfiguration
  private let folder: RunFolder
  private let log: RunLog

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - task: the task, where the run does not say.
  ///   - arguments: options that overrule the run's.
  public init(path: String, task: RunTask?, arguments: [String], log: RunLog) throws {
    folder = RunFolder(path: path)
    configuration = try folder.configuration(task: task)
    try configuration.apply(try RunArguments(arguments))
    try configuration.validate()
    self.log = log
  }

  /// - Parameters:
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - queries: the split's query store.
  ///   - submission: a file for the evaluation server, if one is wanted.
  public func run(
    checkpoint: String, split: String, queries: String, submission: String? = nil, backend: any Backend
  ) throws -> Outcome {
    switch configuration.family {
    case .momentRetrieval, .videoRetrieval:
      let (answer, path) = try RetrievalRun(configuration: configuration, log: log).evaluate(
        folder: folder, checkpoint: checkpoint, split: split, queries: queries, backend: backend)
      // The server takes the result file as it is.
      if let submission { try answer.final.write(path: submission) }
      return Outcome(
        path: path, scalars: answer.metrics?.scalars ?? [],
        table: answer.metrics?.retrievalTable(title: "\(configuration.task.rawValue), \(split)"))
    case .questionAnswering, .inference:
      return try QuestionRun(configuration: configuration, log: log).evaluate(
        folder: folder, checkpoint: checkpoint, split: split, queries: queries, submission: submission,
        backend: backend)
    case .captioning:
      throw UsageError("a captioner is evaluated by 'hero caption --score'")
    case .pretraining:
      throw UsageError("a pre-trained model is evaluated by fine-tuning it")
    }
  }
}
