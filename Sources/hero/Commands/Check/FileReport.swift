import Formats
import Foundation
import Search
import Text
import Training
import Vision

/// The kind of a file or folder, and the commands that take it.
struct FileReport {
  let path: String
  /// The kind, as it follows "is".
  var kind: String
  /// The contents, each fact with its name.
  var facts: [(name: String, value: String)] = []
  /// The commands that take it.
  var uses: [String] = []
  /// Notes for the user, a line each.
  var notes: [String] = []

  /// Examines a path.
  ///
  /// - Throws: `DataError` for files that cannot be read or are of an unknown kind.
  init(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw DataError("there is no such file", file: path, cure: DataError.missingCure(path))
    }
    self = try FileManager.default.isFolder(path) ? Self.folder(path) : Self.file(path)
  }

  init(path: String, kind: String) { (self.path, self.kind) = (path, kind) }

  /// Adds a command that takes the path.
  mutating func use(_ command: String, _ path: String) {
    uses.append("\(command) \(ShellWords.line([path]))")
  }

  // MARK: Printing

  /// The report as lines of text.
  var text: String {
    let lines =
      [("is", kind)] + facts.map { ($0.name, $0.value) } + notes.map { ("note", $0) }
      + uses.map { ("for", $0) }
    let width = lines.map(\.0.count).max() ?? 0
    return ([path] + lines.map { "  \($0.0.padding(toLength: width, withPad: " ", startingAt: 0))  \($0.1)" })
      .map(\.printable).joined(separator: "\n")
  }

  var json: JSON {
    [
      "path": .string(path), "is": .string(kind),
      "facts": .object(factsByName),
      "notes": .array(notes.map(JSON.string)), "for": .array(uses.map(JSON.string)),
    ]
  }

  /// The facts by name.
  ///
  /// Facts that share a name, as the subtitles of a video do, form a list.
  private var factsByName: JSONObject {
    var result = JSONObject()
    for (name, value) in facts {
      switch result[name] {
      case nil: result[name] = .string(value)
      case .array(let others)?: result[name] = .array(others + [.string(value)])
      case let first?: result[name] = [first, .string(value)]
      }
    }
    return result
  }

  // MARK: Kinds

  private static func folder(_ path: String) throws -> FileReport {
    func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
    let run = RunFolder(path: path)
    if run.holdsRun { return try self.run(run) }
    if has("data.mdb") { return try has("meta.json") ? texts(path) : features(path) }
    let listing = try FolderNames(path: path)
    let names = listing.entries
    let inside = names.filter { $0.kind == .folder && has("\($0.name)/data.mdb") }
    if !inside.isEmpty { return try stores(path, inside.map(\.name)) }
    if let weights = try self.weights(inFolder: path, names.map(\.name)) { return weights }
    if has("vocab.json") || has("tokenizer.json") { return try tokenizer(path) }
    if let files = try featureFiles(path, listing) { return files }
    let videos = names.count { FileEndings.videos.contains(ending(of: $0.name)) }
    if videos > 0 {
      var report = FileReport(path: path, kind: "a folder of videos")
      report.facts = [("videos", "\(videos), without those of its folders")]
      report.use("hero index --videos", path)
      report.use("hero extract-features", path)
      return report
    }
    throw DataError(
      "is a folder with \(names.count) entries, and no run, store, model or tokenizer", file: path,
      cure: "Give what lies in it by itself")
  }

  private static func file(_ path: String) throws -> FileReport {
    try PlainFile.size(path)
    let ending = ending(of: path)
    if try IndexFile.recognizes(path) { return try index(path) }
    switch ending {
    case "mdb" where (path as NSString).lastPathComponent == "data.mdb":
      let parent = (path as NSString).deletingLastPathComponent
      return try folder(parent.isEmpty ? "." : parent)
    case "mdb": return try features(path)
    case "json", "jsonl": return try document(path)
    case "npz", "npy":
      if let frames = try frames(path) { return frames }
      return try weights(path)
    case _ where SubtitleFile.endings.contains(ending): return try subtitles(path)
    case _ where FileEndings.videos.contains(ending): return try video(path)
    default:
      if try isText(path) {
        throw DataError(
          "is text, of a kind that its name does not tell", file: path,
          cure: "Annotations end in .json or .jsonl, subtitles in .srt, .vtt or another ending of theirs")
      }
      return try weights(path)
    }
  }

  /// Returns whether a file begins with text and has no known magic bytes.
  private static func isText(_ path: String) throws -> Bool {
    guard FileKind(path: path) == nil, let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    let head = try file.read(upToCount: FileKind.headLength) ?? Data()
    return !head.isEmpty && head.allSatisfy { $0 >= 0x20 && $0 != 0x7F || (0x09...0x0D).contains($0) }
  }

  static func ending(of name: String) -> String { (name as NSString).pathExtension.lowercased() }
}
