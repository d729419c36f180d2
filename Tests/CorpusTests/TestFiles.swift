import Formats
import Foundation
import TestSupport
import Text

@testable import Corpus

extension TemporaryFolder {
  /// Writes a tokenizer of single letters and returns its path.
  func tokenizer() throws -> String {
    let folder = path("tokenizer")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var tokens = ["<s>", "<pad>", "</s>", "<unk>", "."]
    tokens += "abcdefghijklmnopqrstuvwxyzĠ?".map { String($0) } + ["<|endoftext|>", "<mask>", "Ġz"]
    // A byte-level vocabulary has every byte.
    tokens += ByteAlphabet.scalars.map { String($0) }.filter { !tokens.contains($0) }
    let entries = tokens.enumerated().map { "\(JSON.string($1).encoded()): \($0)" }.joined(separator: ", ")
    try "{\(entries)}".write(toFile: folder + "/vocab.json", atomically: true, encoding: .utf8)
    try "#version: 0.2\nĠ z\n".write(toFile: folder + "/merges.txt", atomically: true, encoding: .utf8)
    return folder
  }

  /// Reads the text of a file.
  func contents(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// Returns a builder of `out.db` from an annotation with the given content.
  func builder(_ task: TextStoreTask, _ annotation: String) throws -> TextStoreBuilder {
    TextStoreBuilder(
      task: task, annotation: try file("annotation", annotation), output: path("out.db"),
      tokenizer: try tokenizer())
  }
}
