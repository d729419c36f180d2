import Formats
import Text

/// The LMDB store of a text store, written entry by entry.
final class TextEntryWriter {
  private let store: LMDBWriter
  private let compression: Compression
  private var keys: Set<Name> = []

  init(folder: String, compression: Compression) throws {
    store = try LMDBWriter(path: folder)
    self.compression = compression
  }

  /// Adds an entry: compressed MessagePack with the row's keys in order.
  /// - Throws: `BadRow` if the key is there already.
  func put(_ key: String, _ row: JSONObject) throws {
    guard try put(key, row, replacing: false) else { throw BadRow("the id \"\(key)\" occurs twice") }
  }

  /// Adds an entry, or replaces the one that has its key.
  /// - Returns: whether the key is new.
  func replace(_ key: String, _ row: JSONObject) throws -> Bool { try put(key, row, replacing: true) }

  private func put(_ key: String, _ row: JSONObject, replacing: Bool) throws -> Bool {
    let isNew = keys.insert(Name(key)).inserted
    guard isNew || replacing else { return false }
    try store.put(key, compression.compress(MessagePack(.object(row)).encode()), replacing: replacing)
    return isNew
  }

  func finish() throws { try store.finish() }
}

/// A JSON object that is written to a file member by member, as Python's `json.dump` writes it.
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

/// JSON lines that are written to a file as the reference writes them: no line feed after the last.
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
  /// Returns a list of token ids or frame numbers.
  static func integers(_ values: some Sequence<some BinaryInteger>) -> JSON {
    .array(values.map { .int(Int($0)) })
  }
}

extension TextStoreBuilder {
  /// Writes `meta.json`: what the store was made from, and the special ids that readers need.
  /// - Parameters:
  ///   - sources: files beside the annotation.
  ///   - task: the task to name; nil for none.
  func writeMeta(
    to folder: OutputFolder, _ tokenizer: Tokenizer, sources: JSONObject = [:], task: String?
  ) throws {
    var meta: JSONObject = ["annotation": .string(annotation)]
    for (key, value) in sources { meta[key] = value }
    meta["output"] = .string(output)
    meta["toker"] = .string(self.tokenizer)
    if let task { meta["task"] = .string(task) }
    meta["tokenizer"] = .string(self.tokenizer)
    let specials = [
      ("BOS", tokenizer.bos), ("EOS", tokenizer.eos), ("SEP", tokenizer.sep), ("CLS", tokenizer.cls),
      ("PAD", tokenizer.pad), ("MASK", tokenizer.mask), ("UNK", tokenizer.unk),
    ]
    for (key, id) in specials { meta[key] = .int(Int(id)) }
    meta["v_range"] = .integers([tokenizer.vRange.lowerBound, tokenizer.vRange.upperBound])
    try AtomicFile.write(JSON.object(meta).encoded(style: .pretty), to: folder.file("meta.json"))
  }
}
