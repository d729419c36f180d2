import Formats
import Text

/// The demo's own tokenizer, with the layout of roberta-base's.
///
/// The vocabulary is `<s>`, `<pad>`, `</s>`, `<unk>`, ".", the other bytes, the merges,
/// `<|endoftext|>`, made-up words that fill up to a multiple of 8, `<mask>`.
struct DemoTokenizer {
  let vocabulary: [String]
  let merges: [BytePairTrainer.Merge]

  init(texts: [String], mergeLimit: Int) {
    merges = BytePairTrainer.merges(from: texts, limit: mergeLimit)
    var vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "."]
    // In the order of their characters in the byte alphabet, as in GPT-2's vocabulary: the
    // printable bytes first.
    vocabulary += ByteAlphabet.scalars.sorted().map { String($0) }.filter { $0 != "." }
    // Two merges may spell the same word in different ways.
    var known = Set(vocabulary)
    for merge in merges where known.insert(merge.left + merge.right).inserted {
      vocabulary.append(merge.left + merge.right)
    }
    vocabulary.append("<|endoftext|>")
    repeat { vocabulary.append("madeupword\(padded(vocabulary.count))") } while vocabulary.count % 8 != 7
    vocabulary.append("<mask>")
    self.vocabulary = vocabulary
  }

  /// Writes `vocab.json` and `merges.txt` into a folder that exists.
  func write(to folder: String) throws {
    var ids = JSONObject()
    for (id, token) in vocabulary.enumerated() { ids[token] = .int(id) }
    try AtomicFile.write(JSON.object(ids).encoded(style: .python), to: "\(folder)/vocab.json")
    let lines = ["#version: 0.2"] + merges.map { "\($0.left) \($0.right)" }
    try AtomicFile.write(lines.joined(separator: "\n") + "\n", to: "\(folder)/merges.txt")
  }
}

private func padded(_ number: Int) -> String {
  let digits = "\(number)"
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}
