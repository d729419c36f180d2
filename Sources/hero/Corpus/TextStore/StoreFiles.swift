import Formats
import Text

/// The LMDB store of a text store, written entry by entry.
final class TextEntryWriter {
  private let store: LMDBWriter
  private let compression: Compression
  private var keys: Set<String> = []

  init(folder: String, compression: Compression) throws {
    store = try LMDBWriter(path: folder)
    self.compression = compression
  }

  /// Adds an entry: compressed MessagePack with the row's keys in order.
  /// - Throws: `BadRow` if the key is there already.
  func put(_ key: String, _ row: JSONObject) throws {
    guard try put(key, row, replacing: false) else { throw BadRow("the id \"\(key)\" occurs twice") }
  }

  /// Adds an entry, or puts it in the place of the one that its key has.
  /// - Returns: whether the key is new.
  func replace(_ key: String, _ row: JSONObject) throws -> Bool { try put(key, row, replacing: true) }

  private func put(_ key: String, _ row: JSONObject, replacing: Bool) throws -> Bool {
    let isNew = keys.insert(key).inserted
    guard isNew || replacing else { return false }
    try store.put(key, compression.compress(MessagePack(.object(row)).encode()), replacing: replacing)
    return isNew
  }

  func finish() throws { try store.finish() }
}

/// A JSON object on its way to a file, member by member, as Python's `json.dump` writes it.
final class JSONObjectFile {
  private let file: AtomicFile
  private var isEmpty = true

  init(path: String) throws {
    file = try AtomicFile(path: path)
    try file.write("{")
  }

  func append(_ key: String, _ value: JSON) throws {
    try file.write("\(isEmpty ? "" : ", ")\(JSON.string(key).encoded(style: .python)): ")
    try file.write(value.encodedBytes(style: .python))
    isEmpty = false
  }

  func finish() throws {
    try file.write("}")
    try file.commit()
  }
}

/// JSON lines on their way to a file: line feeds between them, none at the end, as the reference writes them.
final class JSONLinesFile {
  private let file: AtomicFile
  private var isEmpty = true

  init(path: String) throws { file = try AtomicFile(path: path) }

  func append(_ row: JSONObject) throws {
    if !isEmpty { try file.write("\n") }
    try file.write(JSON.object(row).encodedBytes(style: .python))
    isEmpty = false
  }

  func finish() throws { try file.commit() }
}

extension JSON {
  /// A list of token ids or frame numbers.
  static func integers(_ values: some Sequence<some BinaryInteger>) -> JSON {
    .array(values.map { .int(Int($0)) })
  }
}

/// `meta.json`: what the store was made from, and the special ids that readers need.
enum StoreMetaFile {
  static func write(to folder: OutputFolder, options: JSONObject, tokenizer: Tokenizer, path: String) throws {
    var meta = options
    meta["tokenizer"] = .string(path)
    meta["BOS"] = .int(Int(tokenizer.bos))
    meta["EOS"] = .int(Int(tokenizer.eos))
    meta["SEP"] = .int(Int(tokenizer.sep))
    meta["CLS"] = .int(Int(tokenizer.cls))
    meta["PAD"] = .int(Int(tokenizer.pad))
    meta["MASK"] = .int(Int(tokenizer.mask))
    meta["UNK"] = .int(Int(tokenizer.unk))
    meta["v_range"] = .integers([tokenizer.vRange.lowerBound, tokenizer.vRange.upperBound])
    try AtomicFile.write(JSON.object(meta).encoded(style: .pretty), to: folder.file("meta.json"))
  }
}

/// `vid2dur_idx.json`: {split: {video: [seconds, index]}}, the candidates of retrieval.
enum VideoDurations {
  /// The videos of each split, in order; checks the form of everything.
  static func videos(at path: String) throws -> [(split: String, names: [String])] {
    var splits: [(String, [String])] = []
    try JSON.readMembers(path: path) { split, value in
      guard let videos = value.object else {
        throw DataError("is \(value.kind), not an object of videos", file: path, place: "split \"\(split)\"")
      }
      for (name, entry) in videos {
        guard let pair = entry.array, pair.count == 2, pair[0].double != nil, pair[1].int != nil else {
          throw DataError(
            "is \(entry.encoded()), not [seconds, index]", file: path, place: "video \"\(name)\"",
            cure: "Take vid2dur_idx.json as TVR publishes it")
        }
      }
      splits.append((split, videos.keys))
    }
    return splits
  }
}
