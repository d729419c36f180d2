import Formats
import Tasks

/// One corpus of a pre-training configuration: an entry of `targets`.
public struct PretrainingTarget: Equatable, Sendable {
  /// A part of a corpus and the objectives drawn from it.
  public struct Split: Equatable, Sendable {
    /// The key `name` of the entry of `splits`.
    public let name: String
    /// The objectives in the key `tasks`.
    public let objectives: [PretrainingObjective]
    /// How often each objective is drawn.
    public let ratio: [Int]
    /// The files with the ids of the videos to train on, one per feature store.
    public let trainIDs: [String]
    /// The file with the ids of the videos to validate on, which are in the first feature store.
    public let valIDs: String
  }

  /// The key `name`, by which messages name the corpus.
  public let name: String
  /// The path of the subtitle store, `sub_txt_db` joined to `txt_db`.
  public let subtitles: String
  /// The feature folders: `vfeat_db`, or one per entry of `vfeat_shards` inside it.
  public let videos: [String]
  /// Seconds per frame: the key `vfeat_interval`.
  public let frameInterval: Double
  /// The splits, at least one, each with its own videos and objectives.
  public let splits: [Split]
  /// How often the corpus is drawn: its entry of `targets_ratio`.
  public let ratio: Int
}

extension RunConfiguration {
  /// Returns the corpora of pre-training, with their paths joined to `txt_db` and `img_db`.
  ///
  /// - Parameter warn: called for keys that nothing reads.
  /// - Returns: at least one, each with at least one feature folder.
  /// - Throws: `DataError` that names the wrong entry of `targets`.
  public func pretrainingTargets(warn: (String) -> Void = { _ in }) throws -> [PretrainingTarget] {
    guard let entries = self.targets.array, !entries.isEmpty else {
      throw DataError(
        "must be a list of at least one corpus", place: "key \"targets\"",
        cure: "See Configs/pretrain-tv.json for an example")
    }
    let ratios = self.targetsRatio.isEmpty ? entries.map { _ in 1 } : self.targetsRatio
    guard ratios.count == entries.count else {
      throw DataError(
        "targets has \(entries.count) corpora and targets_ratio \(ratios.count) numbers",
        cure: "Give targets_ratio one number for each corpus")
    }
    return try zip(entries, ratios).enumerated().map { index, pair in
      let fields = EntryFields(json: pair.0, place: "targets[\(index)]")
      fields.warn(
        warn, unless: ["name", "sub_txt_db", "vfeat_db", "vfeat_shards", "vfeat_interval", "splits"])
      let root = try join(self.videoRoot, fields.value("vfeat_db", String.self))
      let shards = try fields.optional("vfeat_shards", [String].self)
      let interval = try fields.optional("vfeat_interval", Double.self) ?? self.frameInterval
      guard shards?.isEmpty != true else {
        throw fields.wrong("vfeat_shards", "a list of at least one folder")
      }
      guard Dataset.firstRepeated(shards ?? []) == nil else {
        throw fields.wrong("vfeat_shards", "a list of folders, each once")
      }
      guard interval > 0 else { throw fields.wrong("vfeat_interval", "a number above 0") }
      return PretrainingTarget(
        name: try fields.value("name", String.self),
        subtitles: join(self.textRoot, try fields.value("sub_txt_db", String.self)),
        videos: shards.map { $0.map { join(root, $0) } } ?? [root], frameInterval: interval,
        splits: try splits(of: fields, stores: shards?.count ?? 1, warn: warn), ratio: pair.1)
    }
  }

  private func splits(
    of target: EntryFields, stores: Int, warn: (String) -> Void
  ) throws -> [PretrainingTarget.Split] {
    guard let entries = target.json["splits"]?.array, !entries.isEmpty else {
      throw target.wrong("splits", "a list of at least one split")
    }
    return try entries.enumerated().map { index, entry in
      let fields = EntryFields(json: entry, place: "\(target.place).splits[\(index)]")
      fields.warn(warn, unless: ["name", "tasks", "ratio", "train_idx", "val_idx"])
      let tasks = try fields.value("tasks", [String].self)
      let objectives = tasks.compactMap(PretrainingObjective.init(name:))
      guard !tasks.isEmpty, objectives.count == tasks.count else {
        let known = PretrainingObjective.allCases.map(\.name)
        throw fields.wrong("tasks", "a list of " + known.joined(separator: ", "))
      }
      let ratio = try fields.optional("ratio", [Int].self) ?? tasks.map { _ in 1 }
      guard ratio.count == tasks.count else {
        throw fields.wrong("ratio", "\(tasks.count) whole numbers, one for each of tasks")
      }
      try fields.require(ratio, .each(atLeast: 0), "ratio")
      let trainIDs = try fields.value("train_idx", [String].self)
      guard trainIDs.count == stores else {
        throw fields.wrong("train_idx", "\(stores) files, one for each feature store")
      }
      return PretrainingTarget.Split(
        name: try fields.value("name", String.self), objectives: objectives, ratio: ratio,
        trainIDs: trainIDs.map { join(self.textRoot, $0) },
        valIDs: join(self.textRoot, try fields.value("val_idx", String.self)))
    }
  }

  private func join(_ root: String?, _ path: String) -> String {
    guard let root, !path.hasPrefix("/") else { return path }
    return root.hasSuffix("/") ? root + path : "\(root)/\(path)"
  }
}
