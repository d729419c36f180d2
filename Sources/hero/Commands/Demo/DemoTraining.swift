import Demo
import Training

/// One of the demo's trainings.
struct DemoTraining {
  /// The name of the run's folder and configuration.
  let name: String
  let task: RunTask
  /// The name of the text store to train on.
  let training: String
  let updates: Int
  let warmup: Int
  let learningRate: Double

  init(
    _ task: RunTask, name: String? = nil, training: String? = nil, updates: Int = 500, warmup: Int = 40,
    learningRate: Double = 1e-3
  ) {
    self.name = name ?? task.rawValue
    self.task = task
    self.training = training ?? "\(task.demo.rawValue)_train"
    self.updates = updates
    self.warmup = warmup
    self.learningRate = learningRate
  }

  /// Returns the same training with a `share` of the updates.
  func shortened(to share: Double) -> DemoTraining {
    func part(_ count: Int) -> Int { max(1, Int((Double(count) * share).rounded())) }
    return DemoTraining(
      task, name: name, training: training, updates: part(updates), warmup: part(warmup),
      learningRate: learningRate)
  }

  static let pretraining = DemoTraining(.pretrain, updates: 1000, warmup: 50)

  /// The number of labelled queries in the trainings with few labels.
  static let labels = 300
  static let fewLabels = fewLabels(name: "tvr_few_labels")
  static let fewLabelsPretrained = fewLabels(name: "tvr_few_labels_pretrained")

  private static func fewLabels(name: String) -> DemoTraining {
    DemoTraining(
      .tvr, name: name, training: "tvr_few_labels", updates: 150, warmup: 15, learningRate: 5e-4)
  }
}

extension RunTask {
  /// The task of the demo corpus whose annotations this task uses.
  ///
  /// A suffix such as `_video_only` is ignored. Pre-training uses TVR, for the few labels that
  /// follow it.
  var demo: DemoTask {
    let name = rawValue.replacing("_video_sub", with: "").replacing("_video_only", with: "")
    return DemoTask(rawValue: name) ?? .tvr
  }
}
