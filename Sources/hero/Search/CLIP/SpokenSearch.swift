import Corpus
import Formats
import Foundation
import Metrics

/// Finds spoken words: BM25 (Robertson & Zaragoza, 2009) over the subtitles of an index.
///
/// A document is a subtitle, with the next one if that begins within three seconds of its end.
/// Words are compared by their English stems. A document counts only if its words have at least
/// half of the weight of the query's. So "a" and "the" alone find nothing.
struct SpokenSearch: Sendable {
  struct Found: Equatable, Sendable {
    /// The video's number.
    var video: Int
    /// The start in seconds.
    var start: Double
    var end: Double
    var score: Float
  }

  private struct Document: Sendable {
    var video: Int32
    var length: Int32
    var start: Float
    var end: Float
  }

  private var documents: [Document] = []
  private var words: [String: Int] = [:]
  /// For each word, the documents that contain it and how often.
  private var postings: [[(document: Int32, count: Int32)]] = []
  private var meanLength: Float = 1

  /// BM25's usual constants.
  private static let (k1, b): (Float, Float) = (1.2, 0.75)
  /// The longest pause in seconds before the next subtitle that still joins it.
  private static let pause = 3.0
  /// The share of the weight of a query's words that a subtitle must have.
  private static let part: Float = 0.5

  /// Reads the subtitles of all videos.
  init(_ index: IndexFile) throws {
    var total = 0
    for video in 0..<index.count {
      let sentences = try index.video(video).sentences
      for (number, sentence) in sentences.enumerated() {
        var text = sentence.text
        var end = sentence.end
        if number + 1 < sentences.count, sentences[number + 1].start - end < Self.pause {
          text += " " + sentences[number + 1].text
          end = max(end, sentences[number + 1].end)
        }
        total += add(text, video: video, start: sentence.start, end: end)
      }
    }
    meanLength = max(1, Float(total) / Float(max(1, documents.count)))
  }

  var isEmpty: Bool { documents.isEmpty }

  private mutating func add(_ text: String, video: Int, start: Double, end: Double) -> Int {
    var counts: [Int: Int32] = [:]
    let own = Self.words(of: text)
    for word in own {
      let number = words[word] ?? words.count
      if number == words.count {
        words[word] = number
        postings.append([])
      }
      counts[number, default: 0] += 1
    }
    let document = Int32(clamping: documents.count)
    for (number, count) in counts { postings[number].append((document, count)) }
    documents.append(
      Document(
        video: Int32(clamping: video), length: Int32(clamping: own.count), start: Float(start),
        end: Float(end)))
    return own.count
  }

  /// Returns the stems of a text's words, in lower case.
  static func words(of text: String) -> [String] {
    text.lowercased().replacing("’", with: "'").split { !$0.isLetter && !$0.isNumber && $0 != "'" }
      .map { EnglishStemmer.stem($0.filter { $0 != "'" }) }.filter { !$0.isEmpty }
  }

  /// Returns the documents that fit a query best, best first, at most one of overlapping stretches.
  func find(_ query: String, limit: Int) -> [Found] {
    var scores: [Int32: (score: Float, weight: Float)] = [:]
    var whole: Float = 0
    for word in Set(Self.words(of: query)).sorted() {
      let found = words[word].map { postings[$0] } ?? []
      // A word that no subtitle has weighs as much as one that occurs once.
      let (all, those) = (Float(documents.count), Float(max(1, found.count)))
      let weight = log1p((all - those + 0.5) / (those + 0.5))
      whole += weight
      for (document, count) in found {
        let length = Float(documents[Int(document)].length) / meanLength
        let count = Float(count)
        let score = weight * count * (Self.k1 + 1) / (count + Self.k1 * (1 - Self.b + Self.b * length))
        let before = scores[document] ?? (0, 0)
        scores[document] = (before.score + score, before.weight + weight)
      }
    }
    let ranked = scores.filter { $0.value.weight >= Self.part * whole }
      .sorted { $0.value.score > $1.value.score || $0.value.score == $1.value.score && $0.key < $1.key }
    var result: [Found] = []
    for (document, value) in ranked {
      guard result.count < limit else { break }
      let about = documents[Int(document)]
      let found = Found(
        video: Int(about.video), start: Double(about.start), end: Double(about.end), score: value.score)
      guard
        !result.contains(where: { $0.video == found.video && $0.start < found.end && $0.end > found.start })
      else { continue }
      result.append(found)
    }
    return result
  }
}
