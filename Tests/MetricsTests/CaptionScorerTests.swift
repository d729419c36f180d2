import Formats
import Foundation
import TestSupport
import Testing

@testable import Metrics

/// 1,500 predicted captions with human references, scored as by pycocoevalcap.
@Suite(.enabled(if: SharedData.real != nil, "no real captions; set HERO_SHARED_DIR"))
struct RealCaptionTests {
  /// The folder with METEOR 1.5's data, if the machine has one.
  static let meteorFolder = ProcessInfo.processInfo.environment["HERO_METEOR_DATA"].flatMap {
    $0.isEmpty ? nil : $0
  }

  private let clips: [ScoredClip]
  private let predictionTokens: [String]
  private let referenceTokens: [[String]]
  private let corpus: [String: Double]
  private let perClip: [String: [Double]]

  init() throws {
    let folder = try #require(SharedData.real).appendingPathComponent("captions")
    var clips: [ScoredClip] = []
    var predictionTokens: [String] = []
    var referenceTokens: [[String]] = []
    try JSONLines.read(path: folder.appendingPathComponent("captions.jsonl").path) { _, row in
      clips.append(
        ScoredClip(
          id: try #require(QueryID(row["clip_id"])), prediction: try #require(row["hyp"]?.string),
          references: try #require(row["refs"]?.array).compactMap(\.string)))
      predictionTokens.append(try #require(row["hyp_tokens"]?.string))
      referenceTokens.append(try #require(row["ref_tokens"]?.array).compactMap(\.string))
    }
    let scores = try JSON.read(path: folder.appendingPathComponent("scores.json").path)
    let corpus = try #require(scores["corpus"]?.object)
    let perClip = try #require(scores["per_clip"]?.object)
    self.clips = clips
    self.predictionTokens = predictionTokens
    self.referenceTokens = referenceTokens
    self.corpus = Dictionary(uniqueKeysWithValues: corpus.map { ($0.key, $0.value.double ?? .nan) })
    self.perClip = Dictionary(
      uniqueKeysWithValues: perClip.map { ($0.key, ($0.value.array ?? []).compactMap(\.double)) })
  }

  @Test func tokensAreStanfords() {
    let tokenizer = PTBTokenizer()
    #expect(tokenizer.tokenize(clips.map(\.prediction)) == predictionTokens)
    #expect(tokenizer.tokenize(clips.flatMap(\.references)) == referenceTokens.flatMap { $0 })
  }

  @Test func scoresWithoutMeteorsDataArePycocoevalcaps() throws {
    let scorer = try CaptionScorer(clips, meteor: nil)
    for name in ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"] {
      #expect(try largestDifference(scorer, name) <= 1e-6, "\(name)")
      let total = try #require(scorer.corpus.first { $0.name == name })
      #expect(abs(total.value - (corpus[name] ?? .nan)) <= 1e-6, "\(name)")
    }
    #expect(!scorer.hasMeteorData)
    // Exact and stem matches alone give a lower score, but not by much.
    let meteor = try #require(scorer.corpus.first { $0.name == "METEOR" }).value
    let expected = try #require(corpus["METEOR"])
    #expect(meteor < expected && meteor > 0.7 * expected, "\(meteor), with data \(expected)")
  }

  @Test(.enabled(if: meteorFolder != nil, "no METEOR 1.5 data; set HERO_METEOR_DATA"))
  func meteorIsTheJavaProgramsWithItsData() throws {
    let resources = try MeteorResources(folder: try #require(Self.meteorFolder))
    let scorer = try CaptionScorer(clips, meteor: resources)
    #expect(scorer.hasMeteorData)
    #expect(try largestDifference(scorer, "METEOR") <= 1e-9)
    let total = try #require(scorer.corpus.first { $0.name == "METEOR" })
    #expect(abs(total.value - (corpus["METEOR"] ?? .nan)) <= 1e-9)
  }

  /// Returns the largest difference of a clip's score from the expected one, on a scale of 0 to 1.
  private func largestDifference(_ scorer: CaptionScorer, _ name: String) throws -> Double {
    let measured = try #require(scorer.clips[name])
    let expected = try #require(perClip[name])
    try #require(measured.count == expected.count)
    return paired(measured, expected).map { abs($0 / 100 - $1) }.max() ?? .infinity
  }
}
