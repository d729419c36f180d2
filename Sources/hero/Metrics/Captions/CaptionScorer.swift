import Formats
import Foundation

/// A clip's predicted caption and its reference captions.
public struct ScoredClip: Sendable, Equatable {
  /// The clip's id, which matches rows of the two files.
  public var id: QueryID
  /// The caption that the model wrote.
  public var prediction: String
  /// The captions that annotators wrote, at least one.
  public var references: [String]
}

/// The caption metrics of coco-caption, without Java: BLEU-1 to BLEU-4, METEOR, ROUGE-L and
/// CIDEr-D.
///
/// They compare Penn Treebank tokens in lower case without punctuation. The names are the
/// reference's. Values are percentages, so a CIDEr of 100 is 1 in coco-caption.
public struct CaptionScorer: Sendable {
  /// The metrics, in the order in which they are reported.
  public static let metricNames = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr"]

  /// The most words of a caption: METEOR compares every word with every other.
  private static let mostWords = 1000

  /// The clips in the given order.
  public let ids: [QueryID]
  /// The score of all clips together, for each metric.
  public let corpus: [(name: String, value: Double)]
  /// The score of each clip by metric, in the order of `ids`.
  public let clips: [String: [Double]]
  /// Whether METEOR had synonyms and paraphrases. If not, it matched only equal words and stems.
  public let hasMeteorData: Bool

  /// Scores the clips.
  ///
  /// - Parameters:
  ///   - clips: predictions with at least one reference each. Their order matters to coco-caption
  ///     if a caption ends in an abbreviation.
  ///   - meteor: the data of METEOR 1.5, or nil.
  /// - Throws: `DataError` if there is no clip, a clip has no reference, a caption has more than
  ///   1,000 words, or METEOR's data cannot be read.
  public init(_ clips: [ScoredClip], meteor: MeteorResources?) throws {
    guard !clips.isEmpty else { throw DataError("there are no captions to score") }
    if let bare = clips.first(where: { $0.references.isEmpty }) {
      throw DataError(
        "clip \(bare.id) has no reference caption",
        cure: "Give references for every clip that has a prediction")
    }
    let captions = TokenizedCaptions(clips)
    var scorer = try MeteorScorer(resources: meteor, captions: captions.all)
    try self.init(captions, &scorer, hasMeteorData: meteor != nil)
  }

  /// Scores captions that are already tokenized.
  init(_ captions: TokenizedCaptions, _ scorer: inout MeteorScorer, hasMeteorData: Bool) throws {
    let (predictions, references) = (captions.predictions, captions.references)
    for (id, sentences) in zip(captions.ids, zip(predictions, references).map { [$0] + $1 }) {
      let longest = sentences.map { $0.utf8.count { $0 == UInt8(ascii: " ") } + 1 }.max() ?? 0
      guard longest <= Self.mostWords else {
        throw DataError(
          "a caption of clip \(id) has \(longest) words; no more than \(Self.mostWords) can be compared",
          cure: "Correct that caption")
      }
    }
    let index = NGramIndex()
    let counted = zip(predictions, references).map { prediction, references in
      CountedClip(
        prediction: NGramCounts(words(of: prediction), index: index),
        references: references.map { NGramCounts(words(of: $0), index: index) })
    }
    let bleu = Bleu.scores(counted)
    let cider = CiderD(counted, index: index)
    let ciderScores = counted.map { cider.score($0) }
    let rouge = zip(predictions, references).map { RougeL.score(prediction: $0, references: $1) }
    let meteorScores = Self.meteor(predictions, references, &scorer)

    let corpus =
      bleu.corpus + [meteorScores.corpus, Self.mean(rouge), Self.mean(ciderScores)]
    let each =
      (0..<NGramCounts.longest).map { order in bleu.clips.map { $0[order] } } + [
        meteorScores.clips, rouge, ciderScores,
      ]
    ids = captions.ids
    self.corpus = zip(Self.metricNames, corpus).map { ($0, $1 * 100) }
    self.clips = Dictionary(
      uniqueKeysWithValues: zip(Self.metricNames, each).map { ($0, $1.map { $0 * 100 }) })
    self.hasMeteorData = hasMeteorData
  }

  /// Scores predictions for TVC's clips as the reference's `TVCEval` does.
  ///
  /// The clips are in the order of the references. The first caption of each prediction counts. A
  /// space replaces each character beyond ASCII.
  ///
  /// - Parameter references: rows without captions are skipped.
  /// - Throws: `DataError` as the other initializer, and if a clip has references but no
  ///   prediction.
  public init(_ predictions: [CaptionRow], references: [CaptionRow], meteor: MeteorResources?) throws {
    var given: [QueryID: String?] = [:]
    for row in predictions {
      if let known = given.updateValue(row.captions.first, forKey: row.clip), known != row.captions.first {
        throw DataError(
          "the clip has two predictions: “\(known ?? "")” and “\(row.captions.first ?? "")”",
          place: "clip \(row.clip)", cure: "Give one caption for each clip")
      }
    }
    let wanted = references.filter { !$0.captions.isEmpty }
    let missing = wanted.filter { given[$0.clip, default: nil] == nil }
    if let first = missing.first {
      throw DataError(
        "\(missing.count) clips have references but no prediction", place: "clip \(first.clip)",
        cure: "Caption every clip of the references")
    }
    try self.init(
      wanted.map { row in
        ScoredClip(
          id: row.clip, prediction: Self.ascii((given[row.clip] ?? nil) ?? ""),
          references: row.captions.map(Self.ascii))
      }, meteor: meteor)
  }

  static func ascii(_ caption: String) -> String {
    String(
      String.UnicodeScalarView(
        caption.trimmingCharacters(in: .whitespacesAndNewlines).unicodeScalars.map {
          $0.isASCII ? $0 : " "
        }))
  }

  private static func mean(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(values.count)
  }

  private static func meteor(
    _ predictions: [String], _ references: [[String]], _ scorer: inout MeteorScorer
  ) -> (corpus: Double, clips: [Double]) {
    var total = MeteorStatistics()
    let scores = zip(predictions, references).map { prediction, references in
      let statistics = scorer.statistics(prediction: prediction, references: references)
      total += statistics
      return statistics.score
    }
    return (total.score, scores)
  }
}

/// Captions as Penn Treebank tokens, joined by spaces.
struct TokenizedCaptions {
  var ids: [QueryID] = []
  var predictions: [String] = []
  var references: [[String]] = []

  init() {}

  init(_ clips: [ScoredClip]) {
    let tokenizer = PTBTokenizer()
    ids = clips.map(\.id)
    predictions = tokenizer.tokenize(clips.map(\.prediction))
    var rest = tokenizer.tokenize(clips.flatMap(\.references))[...]
    references = clips.map { clip in
      defer { rest = rest.dropFirst(clip.references.count) }
      return Array(rest.prefix(clip.references.count))
    }
  }

  /// All predictions, then all references.
  var all: some Sequence<String> { [predictions, references.flatMap { $0 }].joined() }

  /// Returns the clips at these places.
  func picked(_ places: [Int]) -> TokenizedCaptions {
    var picked = TokenizedCaptions()
    picked.ids = places.map { ids[$0] }
    picked.predictions = places.map { predictions[$0] }
    picked.references = places.map { references[$0] }
    return picked
  }
}
