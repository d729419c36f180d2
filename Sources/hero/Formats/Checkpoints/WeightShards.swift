import Foundation

/// The files of one model: a single file, or the shards that Hugging Face's programs make of a
/// large one.
///
/// Shards are called `NAME-00001-of-00003.safetensors` (or `.bin`). The `weight_map` in
/// `NAME.safetensors.index.json` beside them gives each array's file. Without that index, the
/// shards of a folder are those of the only model in it.
struct WeightShards {
  let files: [String]
  /// The note for the user on files that are read without being named; nil if there are none.
  let note: String?
  /// The number of each array's file; nil without an index.
  private let map: [String: Int]?

  private static let mostShards = 10_000
  private static let folderFiles = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
  ]

  /// - Throws: `DataError` if a folder holds no model, or if shards are missing.
  init(path: String) throws {
    guard FileManager.default.isFolder(path) else {
      try self.init(file: path)
      return
    }
    if let name = Self.folderFiles.first(where: { Self.exists("\(path)/\($0)") }) {
      try self.init(file: "\(path)/\(name)")
      return
    }
    guard let (name, isShard) = try Self.soleModel(in: path) else {
      let isDistributed = Self.exists("\(path)/.metadata")
      throw DataError(
        isDistributed
          ? "is a distributed checkpoint of PyTorch, each process's part a file"
          : "holds neither a run nor \(Self.folderFiles.joined(separator: ", ")), nor another file of weights",
        file: path,
        cure: isDistributed
          ? "Make one file of it: python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE"
          : "Give a file of weights, or the folder that holds it")
    }
    let file = "\(path)/\(name)"
    let shards = try Self(file: file)
    self.init(
      files: shards.files,
      note: isShard
        ? "\(path): its \(shards.files.count) shards are read, without an index"
        : "\(file): it is read, the only file of weights in the folder")
  }

  private init(files: [String], note: String) {
    (self.files, self.note, map) = (files, note, nil)
  }

  /// The extensions of weight files; the first one in a folder counts, as in `transformers`.
  private static let endings = ["safetensors", "bin", "pt", "pth"]
  /// The prefixes of files that trainers save beside a model.
  private static let besides = [
    "optimizer", "scheduler", "rng_state", "training_args", "trainer_state", "scaler", "random_states",
  ]

  /// Returns the only model in a folder without any file of `folderFiles`; nil if there is none.
  ///
  /// The model is a file, or the first of its shards that exists.
  /// - Throws: `DataError` if there are several.
  private static func soleModel(in folder: String) throws -> (name: String, isShard: Bool)? {
    let names = try FolderNames(path: folder).entries.filter { $0.kind == .file }.map(\.name)
    for ending in endings {
      var models: [Name: (name: String, isShard: Bool)] = [:]
      for name in names
      where name.hasSuffix(".\(ending)") && !name.hasPrefix(".") && !besides.contains(where: name.hasPrefix) {
        let shard = shard(name)
        let model = Name(shard.map { $0.name(1) } ?? name)
        if models[model] == nil { models[model] = (name, shard != nil) }
      }
      guard models.count <= 1 else {
        let some = models.keys.sorted().prefix(8).map(\.text).joined(separator: ", ")
        throw DataError(
          "holds \(models.count) files of weights: \(some)", file: folder, cure: "Give the one that is meant")
      }
      if let model = models.first?.value { return model }
    }
    return nil
  }

  private init(file: String) throws {
    let folder = (file as NSString).deletingLastPathComponent
    func place(_ name: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }
    if file.hasSuffix(".index.json") {
      (files, map) = try Self.indexed(file, place)
      note = nil
      return
    }
    map = nil
    guard let (number, count, name) = Self.shard((file as NSString).lastPathComponent) else {
      (files, note) = ([file], nil)
      return
    }
    guard (1...Self.mostShards).contains(count), (1...count).contains(number) else {
      throw DataError("is shard \(number) of \(count) by its name", file: file, cure: "Give it its own name")
    }
    let all = (1...count).map { $0 == number ? file : place(name($0)) }
    let missing = all.filter { !Self.exists($0) }
    guard missing.isEmpty else {
      throw DataError(
        "is one of \(count) shards of a model, and \(missing.count) are not beside it, such as \(missing[0])",
        file: file,
        cure: "Bring all shards into one folder, and give that folder or any of them")
    }
    files = all
    note =
      count == 1
      ? nil : "\(file): it is one of \(count) shards of a model, whose others beside it are read as well"
  }

  /// Returns whether an array is to be read from this file.
  func holds(_ name: String, file: Int) -> Bool { map.map { $0[name] == file } ?? true }

  /// Rejects an index that lists arrays which its files lack.
  func requireAll(_ found: [String: Int]) throws {
    guard let map, let (name, number) = map.filter({ found[$0.key] == nil }).min(by: { $0.key < $1.key })
    else { return }
    throw DataError(
      "lacks “\(name)”, which the index says is in it", file: files[number],
      cure: "Get the model's files again, all of them")
  }

  private static func indexed(
    _ file: String, _ place: (String) -> String
  ) throws -> ([String], [String: Int]) {
    guard let entries = try JSON.read(path: file)["weight_map"]?.object else {
      throw DataError(
        "has no \"weight_map\"", file: file, cure: "Give the index of a sharded model, or its shards")
    }
    var numbers: [String: Int] = [:]
    var files: [String] = []
    var map: [String: Int] = [:]
    for (name, value) in entries {
      guard let shard = value.string, !shard.isEmpty, !shard.contains("/"), files.count < mostShards else {
        throw DataError("names no file beside it", file: file, place: "tensor “\(name)”")
      }
      if numbers[shard] == nil {
        numbers[shard] = files.count
        files.append(place(shard))
      }
      map[name] = numbers[shard]
    }
    let missing = files.filter { !exists($0) }
    guard missing.isEmpty else {
      throw DataError(
        "speaks of \(files.count) files, and \(missing.count) are not there, such as \(missing[0])",
        file: file,
        cure: "Bring all shards into one folder")
    }
    return (files, map)
  }

  /// Parses a shard's file name: its number, the count, and the name of a shard with another
  /// number.
  private static func shard(_ name: String) -> (number: Int, count: Int, name: (Int) -> String)? {
    guard let match = name.wholeMatch(of: /(.*[-_.])(\d{1,9})-of-(\d{1,9})(\.[A-Za-z0-9.]+)/),
      let number = Int(match.2),
      let count = Int(match.3)
    else { return nil }
    let (stem, width, end) = (String(match.1), match.2.count, "-of-\(match.3)\(match.4)")
    return (
      number, count,
      { other in
        let digits = String(other)
        return stem + String(repeating: "0", count: max(0, width - digits.count)) + digits + end
      }
    )
  }

  private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
