import Engine
import Formats

/// `hero finetune`: from a configuration to a folder of checkpoints, whatever the task.
public struct FinetuningRun {
  private let configuration: RunConfiguration
  private let log: RunLog

  public init(_ configuration: RunConfiguration, log: RunLog) {
    self.configuration = configuration
    self.log = log
  }

  /// - Parameter resume: go on with the run in the output folder, or begin where there is none.
  public func run(resume: Bool, backend: any Backend) throws {
    let assembly = RunAssembly(configuration: configuration)
    let folder = RunFolder(path: try assembly.required(configuration.outputDirectory, "output_dir"))
    if !resume { try folder.requireUnused() }
    switch configuration.family {
    case .momentRetrieval, .videoRetrieval:
      try RetrievalRun(configuration: configuration, log: log).finetune(
        folder: folder, resume: resume, backend: backend)
    case .questionAnswering, .inference:
      try QuestionRun(configuration: configuration, log: log).finetune(
        folder: folder, resume: resume, backend: backend)
    case .captioning:
      try CaptionRun(configuration: configuration, log: log).finetune(
        folder: folder, resume: resume, backend: backend)
    case .pretraining:
      throw UsageError("use 'hero pretrain' for pre-training")
    }
  }
}
