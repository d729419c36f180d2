import Formats
import Foundation
import Text

/// The content of a text store's `meta.json`: the special tokens that the store was made with.
public struct StoreMeta: Sendable, Equatable {
  /// `[PAD]`
  public let pad: Int32
  /// `[BOS]`, which begins a caption.
  public let bos: Int32
  /// `[EOS]`, which ends a caption.
  public let eos: Int32
  /// `[SEP]`, which leads each subtitle and separates a question from its answer.
  public let sep: Int32
  /// `[CLS]`, which leads a query, and a video that is read by one channel.
  public let cls: Int32
  /// `[MASK]`, which hides a word in masked language modelling.
  public let mask: Int32
  /// `[UNK]`
  public let unk: Int32
  /// The ids that a random replacement in masked language modelling is drawn from.
  public let vRange: Range<Int32>
  /// The task: `tvr`, `tvqa`, `tv` …, or nil where the file names none (caption stores).
  public let task: String?
  /// The whole file.
  public let json: JSON

  /// The path of the file, in the folder as the user named it.
  public let path: String

  /// The ids in a store that depend on its tokenizer.
  private var tokens: [Int32] { [pad, bos, eos, sep, cls, mask, unk, vRange.lowerBound, vRange.upperBound] }

  /// Gives a notice if different tokenizers made two stores that one model reads.
  public func compare(_ other: StoreMeta) {
    guard tokens != other.tokens else { return }
    Notice.tell(
      "\(path): its special tokens are other ids than those of \(other.path), so that two tokenizers made the stores, "
        + "and one model cannot know both. Make both by one tokenizer")
  }

  /// The tokenizer that made the store, where the file says it.
  public var tokenizer: TokenizerFolder.Note? {
    guard let folder = json["tokenizer"]?.string ?? json["toker"]?.string, !folder.isEmpty else { return nil }
    return TokenizerFolder.Note(file: path, folder: folder)
  }

  /// Refuses a path that is not in the folder of a text store.
  private static func requireStore(of meta: String) throws {
    let folder = (meta as NSString).deletingLastPathComponent
    let cure = "Give the folder that create-txtdb made"
    guard FileManager.default.fileExists(atPath: folder) else {
      throw DataError("there is no such store", file: folder, cure: DataError.missingCure(folder))
    }
    guard FileManager.default.isFolder(folder) else {
      throw DataError("is a file, not a store's folder", file: folder, cure: cure)
    }
    guard FileManager.default.fileExists(atPath: meta) else {
      throw DataError("there is no such file, so its folder is no store of texts", file: meta, cure: cure)
    }
  }

  /// Reads `meta.json`.
  public init(path: String) throws {
    try Self.requireStore(of: path)
    let json = try JSON.read(path: path)
    func number(_ value: JSON?, _ key: String) throws -> Int32 {
      guard let number = value?.int, let id = Int32(exactly: number), id >= 0 else {
        throw DataError("\"\(key)\" is not a token id", file: path, cure: "Make the store again")
      }
      return id
    }
    func id(_ key: String) throws -> Int32 { try number(json[key], key) }
    pad = try id("PAD")
    bos = try id("BOS")
    eos = try id("EOS")
    sep = try id("SEP")
    cls = try id("CLS")
    mask = try id("MASK")
    unk = try id("UNK")
    guard let range = json["v_range"]?.array, range.count == 2 else {
      throw DataError("\"v_range\" is not a pair of token ids", file: path, cure: "Make the store again")
    }
    let (start, end) = (try number(range[0], "v_range"), try number(range[1], "v_range"))
    guard start < end else {
      throw DataError("\"v_range\" is empty", file: path, cure: "Make the store again")
    }
    vRange = start..<end
    task = json["task"]?.string
    self.json = json
    self.path = path
  }

  /// Refuses a store whose task has other content; accepts one that names no task or an unknown
  /// one.
  func require(_ holds: (TextStoreTask.Content) -> Bool, path: String) throws {
    guard let task, let made = TextStoreTask(rawValue: task), !holds(made.content) else { return }
    throw DataError(
      "the store was made for the task \"\(task)\"", file: path,
      cure: "Give the store of the task that is asked for")
  }

  /// Refuses a store whose rows mean something else than those of a task's own stores.
  ///
  /// Gives a notice about a store that was made for another task with such rows.
  /// - Parameter path: the store's folder.
  public func require(_ asked: TextStoreTask, path: String) throws {
    guard let made = task.flatMap(TextStoreTask.init(rawValue:)), made != asked else { return }
    guard asked.reads(made) else {
      throw DataError(
        "the store was made for the task \"\(made.rawValue)\", which has no rows of \(asked.rawValue)",
        file: path,
        cure: "Give a store of \(asked.rawValue), or train for \(made.rawValue)")
    }
    guard !asked.captions(made), let origin = origin(made, asked) else { return }
    Notice.tell(
      "\(path): the store was made for the task \(origin.rawValue), and \(asked.rawValue) is asked for; its rows are "
        + "used as they are. Give a store of \(asked.rawValue) if that is not meant")
  }

  /// Returns the task that a store surely belongs to, or nil if it may belong to the one asked for.
  ///
  /// The reference's scripts mark every store of queries as TVR's and every one of questions as
  /// TVQA's. So do people with data of their own. For these stores the annotation's name decides.
  private func origin(_ made: TextStoreTask, _ asked: TextStoreTask) -> TextStoreTask? {
    guard made == .tvr || made == .tvqa else { return made }
    let file = ((json["annotation"]?.string ?? "") as NSString).lastPathComponent.lowercased()
    let words = file.split { !$0.isLetter && !$0.isNumber }
    let named = TextStoreTask.allCases.filter { task in
      made.reads(task) && words.contains { $0 == task.rawValue }
    }
    return named.contains { $0 == asked || asked.captions($0) } ? nil : named.first
  }
}
