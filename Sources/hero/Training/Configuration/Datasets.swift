import Formats

/// A dataset of VALUE's configurations: an entry of `train_datasets` or of `val_datasets`.
///
///     {"task": "vcmr", "name": "tvr_video_sub_train", "sub_txt_db": …,
///      "vfeat_db": …, "query_txt_db": …}
///
/// The name consists of the task, the channels and the split. `task` is the task's kind and must
/// fit.
struct Dataset {
  let task: RunTask
  /// The split, such as `train` or `val`.
  let split: String
  let ratio: Int
  let batchSize: Int?
  fileprivate let fields: EntryFields

  /// The families of tasks, keyed by VALUE's names for their kinds.
  private static let kinds: [String: TaskFamily] = [
    "vcmr": .momentRetrieval, "vr": .videoRetrieval, "videoQA": .questionAnswering, "violin": .inference,
    "videoCap": .captioning,
  ]

  /// - Throws: `DataError` that names the wrong field.
  init(_ fields: EntryFields) throws {
    self.fields = fields
    let name = try fields.value("name", String.self)
    guard let (task, split) = Self.parts(of: name) else {
      throw fields.wrong("name", "a task and a split, such as tvr_video_sub_train")
    }
    (self.task, self.split) = (task, split)
    let kind = try fields.optional("task", String.self)
    if let kind, Self.kinds[kind] != task.family {
      let wanted = Self.kinds.first { $0.value == task.family }?.key ?? ""
      throw fields.wrong("task", "\(wanted) for \(name)")
    }
    ratio = try fields.optional("ratio", Int.self) ?? 1
    try fields.require(ratio, .atLeast(0), "ratio")
    batchSize = try fields.optional("batch_size", Int.self)
    try fields.require(batchSize ?? 1, .atLeast(1), "batch_size")
  }

  /// Splits a name into the longest task that it begins with, and the split after that.
  ///
  /// The split may have several words: `how2r_video_sub_val_1k`.
  private static func parts(of name: String) -> (task: RunTask, split: String)? {
    let words = name.split(separator: "_", omittingEmptySubsequences: false)
    for count in (1..<max(1, words.count)).reversed() {
      guard let task = RunTask(rawValue: words[..<count].joined(separator: "_")), task.family.isSingle
      else { continue }
      return (task, words[count...].joined(separator: "_"))
    }
    return nil
  }

  /// Warns of a split that does not fit its use, and of keys that nothing reads.
  /// - Parameter isTrained: whether the dataset is trained on, not measured on.
  func warn(_ warn: (String) -> Void, isTrained: Bool) {
    if split.hasPrefix("train") != isTrained {
      warn(
        "\(fields.place).name ends in \"_\(split)\"; it is a label, and what the stores hold is "
          + (isTrained ? "trained on" : "measured on"))
    }
    let own = isTrained ? ["ratio", textKey(isTrained: true)] : [textKey(isTrained: false)]
    fields.warn(warn, unless: ["name", "task", "batch_size", "sub_txt_db", "vfeat_db"] + own)
  }

  /// Returns the key of the questions, queries or captions.
  private func textKey(isTrained: Bool) -> String {
    guard task.family == .captioning else { return "query_txt_db" }
    return isTrained ? "cap_txt_db" : "gt_anno"
  }

  /// Returns the stores to train on, keyed by the names of the task's own options.
  /// - Parameter isTrained: whether the task is trained; a task that is only measured needs no
  ///   texts to train on.
  func trainingOptions(isTrained: Bool) throws -> JSONObject {
    var options: JSONObject = ["vfeat_db": .string(try fields.value("vfeat_db", String.self))]
    let subtitles = try fields.optional("sub_txt_db", String.self)
    guard subtitles != nil || task.channels == .video else { throw fields.wrong("sub_txt_db", "a text") }
    options["sub_txt_db"] = subtitles.map { .string($0) }
    let key = textKey(isTrained: true)
    guard isTrained || fields.has(key) else { return options }
    guard task.family == .captioning else {
      options["train_query_txt_db"] = .string(try fields.value(key, String.self))
      return options
    }
    let stores = try fields.value(key, [String].self)
    guard !stores.isEmpty else { throw fields.wrong(key, "a list of at least one store") }
    options["train_db"] = .array(stores.map { .string($0) })
    return options
  }

  /// Returns the stores to measure on, keyed by the names of the task's own options.
  /// - Parameter training: the task's training dataset, whose videos are also measured on.
  func validationOptions(beside training: Dataset) throws -> JSONObject {
    for store in ["vfeat_db", "sub_txt_db"] {
      guard let own = try fields.optional(store, String.self),
        let other = try training.fields.optional(store, String.self), !Self.same(own, other)
      else { continue }
      throw DataError(
        "is \"\(own)\", and \"\(other)\" in \(training.fields.place)",
        place: "key \"\(fields.place).\(store)\"",
        cure: "Give both the same, or leave it out of \(fields.place)")
    }
    var options: JSONObject = [:]
    if let batchSize { options["val_batch_size"] = .int(batchSize) }
    let file = try fields.value(textKey(isTrained: false), String.self)
    options[task.family == .captioning ? "val_ref" : "val_query_txt_db"] = .string(file)
    return options
  }

  /// Returns the first path that repeats an earlier one.
  static func firstRepeated(_ paths: [String]) -> String? {
    paths.enumerated().first { place, path in paths[..<place].contains { same($0, path) } }?.element
  }

  /// Returns whether two paths are equal apart from trailing slashes.
  static func same(_ a: String, _ b: String) -> Bool { trimmed(a) == trimmed(b) }

  /// Returns a path without trailing slashes.
  static func trimmed(_ path: String) -> Substring {
    var path = path[...]
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    return path
  }
}

/// One task of a run of several: its own configuration, and how often it is drawn.
struct RunPart {
  let configuration: RunConfiguration
  let ratio: Int
  let batchSize: Int?

  var task: RunTask { configuration.task }
}

extension RunConfiguration {
  /// Reads the training datasets, each with the validation dataset of its task.
  /// - Throws: `DataError` for entries that do not fit together.
  static func datasets(
    _ training: JSON?, _ validation: JSON?, warn: (String) -> Void
  ) throws -> [(train: Dataset, val: Dataset?)] {
    func read(_ key: String, _ json: JSON?) throws -> [Dataset] {
      guard let entries = (json ?? .array([])).array else {
        throw DataError("must be a list of datasets", place: "key \"\(key)\"")
      }
      return try entries.enumerated().map { index, entry in
        let dataset = try Dataset(EntryFields(json: entry, place: "\(key)[\(index)]"))
        dataset.warn(warn, isTrained: key == "train_datasets")
        return dataset
      }
    }
    let train = try read("train_datasets", training)
    let val = try read("val_datasets", validation)
    guard !train.isEmpty else {
      throw DataError("must be a list of at least one dataset", place: "key \"train_datasets\"")
    }
    guard train.contains(where: { $0.ratio > 0 }) else {
      throw DataError(
        "has no dataset with a \"ratio\" above 0", place: "key \"train_datasets\"",
        cure: "Leave ratio out, or raise it")
    }
    for (key, datasets) in [("train_datasets", train), ("val_datasets", val)] {
      for (place, dataset) in datasets.enumerated() {
        guard let same = datasets[..<place].first(where: { $0.task.readsSame(as: dataset.task) }) else {
          continue
        }
        let names = same.task == dataset.task ? "" : ", as \(same.task.rawValue) and \(dataset.task.rawValue)"
        throw DataError(
          "names one task twice: \(same.fields.place) and \(dataset.fields.place)\(names)",
          place: "key \"\(key)\"",
          cure: "Give each task one dataset")
      }
    }
    if let other = val.first(where: { dataset in !train.contains { $0.task == dataset.task } }) {
      throw DataError(
        "names \(other.task.rawValue), which train_datasets does not", place: "key \"val_datasets\"",
        cure: "Leave it out, or give it an entry of train_datasets with \"ratio\": 0")
    }
    return train.map { dataset in
      let measured = val.first { $0.task == dataset.task }
      if dataset.ratio == 0, measured == nil {
        warn(
          "\(dataset.fields.place) has a ratio of 0 and no entry of val_datasets, so \(dataset.task.rawValue) is "
            + "neither trained nor measured")
      }
      return (dataset, measured)
    }
  }

  /// Turns VALUE's file of one task into that task's file, with the stores under the task's own
  /// keys.
  ///
  /// - Returns: nil for a file without `train_datasets`, or with several.
  static func ofOneDataset(
    _ object: JSONObject, warn: (String) -> Void
  ) throws -> (task: RunTask, object: JSONObject)? {
    guard object["train_datasets"] != nil else { return nil }
    let datasets = try datasets(object["train_datasets"], object["val_datasets"], warn: warn)
    guard datasets.count == 1 else { return nil }
    var result = object
    for key in ["train_datasets", "val_datasets"] { result[key] = nil }
    for (key, value) in try options(of: datasets[0].train, datasets[0].val, isTrained: true) {
      result[key] = value
    }
    if let size = datasets[0].train.batchSize { result["train_batch_size"] = .int(size) }
    return (datasets[0].train.task, result)
  }

  private static func options(
    of train: Dataset, _ val: Dataset?, isTrained: Bool
  ) throws -> JSONObject {
    var options = try train.trainingOptions(isTrained: isTrained)
    for (key, value) in try val?.validationOptions(beside: train) ?? [:] { options[key] = value }
    return options
  }

  /// Returns the tasks of a run of several, each with the run's options and its own stores.
  func parts(warn: (String) -> Void = { _ in }) throws -> [RunPart] {
    try Self.datasets(self.trainDatasets, self.valDatasets, warn: warn).map { train, val in
      var part = RunConfiguration(task: train.task, of: self)
      if let weight = self.questionSpanWeight, train.task.family == .questionAnswering {
        part.spanWeight = weight
      }
      let isTrained = train.ratio > 0 && self.trainSteps > 0
      _ = try part.apply(try Self.options(of: train, val, isTrained: isTrained || val == nil), file: "")
      return RunPart(configuration: part, ratio: train.ratio, batchSize: train.batchSize)
    }
  }
}
