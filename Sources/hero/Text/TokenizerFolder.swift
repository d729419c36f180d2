import Formats
import Foundation

/// The search order for a tokenizer, the same for every command.
///
/// 1. the folder that the option `--tokenizer` gives;
/// 2. the folder named by a file (a store's `meta.json`, an index), relative to the current folder;
/// 3. the same folder, relative to that file's folder, then to each folder above it.
public enum TokenizerFolder {
  /// A file's note of the tokenizer that it was made with.
  public struct Note: Sendable {
    /// The file with the note.
    public var file: String
    /// The folder that it names.
    public var folder: String

    /// - Parameters:
    ///   - file: the path of the file.
    ///   - folder: the path that it names.
    public init(file: String, folder: String) { (self.file, self.folder) = (file, folder) }
  }

  private static let cure =
    "Give --tokenizer the folder with vocab.json and merges.txt (RoBERTa's, if the reference made the stores)"

  /// Finds the tokenizer's folder.
  /// - Parameters:
  ///   - option: the folder that the user gave; nil for none.
  ///   - note: a file's note; nil for none.
  /// - Throws: `DataError` naming the file, what it says and where that was looked for.
  public static func find(option: String?, note: Note?) throws -> String {
    if let option { return option }
    guard let note else {
      throw DataError("no file says which tokenizer made the stores", cure: cure)
    }
    if TokenizerFiles.areIn(note.folder) { return note.folder }
    let current = FileManager.default.currentDirectoryPath
    var places = "as it stands"
    if !note.folder.hasPrefix("/") {
      var base = URL(fileURLWithPath: note.file).standardizedFileURL.deletingLastPathComponent()
      places = "neither in the current folder \(current), nor in \(base.path) or a folder above it"
      while true {
        let candidate = base.appendingPathComponent(note.folder).standardizedFileURL.path
        if TokenizerFiles.areIn(candidate) { return candidate }
        guard base.path != "/" else { break }
        base = base.deletingLastPathComponent()
      }
    }
    throw DataError(
      "says \"\(note.folder)\", where no tokenizer is found: \(places)", file: note.file,
      place: "\"tokenizer\"", cure: cure)
  }

  /// Opens the tokenizer of a folder.
  /// - Throws: `DataError` as `Tokenizer.init`, with a cure.
  public static func open(_ folder: String) throws -> Tokenizer {
    try DataError.locating(cure: cure) { try Tokenizer(directory: folder) }
  }
}
