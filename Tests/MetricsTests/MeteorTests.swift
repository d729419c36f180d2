import Formats
import Foundation
import Testing

@testable import Metrics

@Suite struct MeteorTests {
  /// Captions whose scores by pycocoevalcap are known.
  private let clips = [
    ScoredClip(
      id: "0", prediction: "A man is cooking a meal.",
      references: ["A man cooks a meal in the kitchen.", "The man is cooking."]),
    ScoredClip(id: "1", prediction: "Two dogs run!", references: ["two dogs run"]),
    ScoredClip(id: "2", prediction: "", references: ["A cat sleeps."]),
    ScoredClip(
      id: "3", prediction: "She sings.", references: ["The lady is singing loudly", "She sang a song."]),
  ]

  private func near(_ measured: [Double]?, _ expected: [Double]) -> Bool {
    guard let measured, measured.count == expected.count else { return false }
    return zip(measured, expected).allSatisfy { abs($0 / 100 - $1) < 1e-9 }
  }

  @Test func smallCorpusScoresAsPycocoevalcap() throws {
    let scorer = try CaptionScorer(clips, meteor: nil)
    #expect(scorer.ids == ["0", "1", "2", "3"])
    #expect(scorer.corpus.map(\.name) == CaptionScorer.metricNames)
    #expect(near(scorer.clips["Bleu_1"], [0.9999999998333334, 0.9999999993333338, 0, 0.1839397204017818]))
    #expect(
      near(
        scorer.clips["Bleu_4"], [9.036020033952396e-05, 0.03162277657664911, 0, 5.501080735107161e-08]))
    #expect(near(scorer.clips["CIDEr"], [2.934265581395528, 7.5, 0, 0.4793050431455833]))
    #expect(near(scorer.clips["ROUGE_L"], [0.7134502923976607, 1, 0, 0.31443298969072164]))
    // METEOR's Java program with the modules "exact stem" and weights 1 and 0.6.
    #expect(near(scorer.clips["METEOR"], [0.421916911698492, 1, 0, 0.07236180904522613]))
    let corpus = [
      0.6920912605076871, 0.6286231049724483, 0.4937027808802553, 7.433748758554979e-05, 0.2673348338442826,
      0.5069708205220955, 2.728392656135278,
    ]
    #expect(near(scorer.corpus.map(\.value), corpus))
    #expect(!scorer.hasMeteorData)
  }

  /// Where every word matches every other, paths are compared without copies.
  @Test func longCaptionsOfOneWordAreScored() throws {
    let words = String(repeating: "the ", count: 200)
    let time = try ContinuousClock().measure {
      let scorer = try CaptionScorer(
        [ScoredClip(id: "0", prediction: words, references: [words + "cat"])], meteor: nil)
      #expect((scorer.clips["METEOR"]?.first ?? 0) > 50)
    }
    #expect(time < .seconds(60))
    let error = try #require(throws: DataError.self) {
      try CaptionScorer(
        [ScoredClip(id: "9", prediction: "a", references: [String(repeating: "the ", count: 1001)])],
        meteor: nil)
    }
    #expect(error.problem.contains("clip 9") && error.problem.contains("1001 words"))
  }

  /// Words are compared by Unicode scalars, as in Python and Java: a combining accent differs from
  /// é.
  @Test func wordsAreComparedByTheirCharacters() throws {
    let scorer = try CaptionScorer(
      [ScoredClip(id: "0", prediction: "caf\u{E9}", references: ["cafe\u{301}"])], meteor: nil)
    #expect(scorer.clips["Bleu_1"]?.first ?? 1 < 1e-3 && scorer.clips["ROUGE_L"]?.first == 0)
    #expect(scorer.clips["METEOR"]?.first == 0)
  }

  /// Words are looked up by their bytes, as Java does.
  ///
  /// `é` as one scalar differs from two, and an accent on an `s` counts.
  @Test func synonymsAreFoundByBytes() {
    let synonyms = MeteorSynonyms(
      synsets: ["caf\u{e9}", "1", "cafe\u{301}", "2", "door", "3"],
      exceptions: ["caf\u{e9}", "caff\u{e9}", "door", "caffe\u{301}"])
    #expect(synonyms.sets(of: "caf\u{e9}") == [1] && synonyms.sets(of: "cafe\u{301}") == [2])
    #expect(synonyms.sets(of: "caff\u{e9}") == [1] && synonyms.sets(of: "caffe\u{301}") == [3])
    #expect(synonyms.sets(of: "doors") == [3] && synonyms.sets(of: "doors\u{301}") == [])
  }

  @Test func whatCannotBeScoredIsNamed() throws {
    #expect(throws: DataError.self) { try CaptionScorer([], meteor: nil) }
    #expect(throws: DataError.self) {
      try CaptionScorer([ScoredClip(id: "7", prediction: "a", references: [])], meteor: nil)
    }
  }

  @Test(arguments: [
    ("caresses", "caress"), ("ponies", "poni"), ("ties", "tie"), ("gas", "gas"), ("gaps", "gap"),
    ("agreed", "agre"),
    ("hopping", "hop"), ("hoping", "hope"), ("falling", "fall"), ("generously", "generous"), ("skies", "sky"),
    ("dying", "die"), ("proceed", "proceed"), ("relational", "relat"), ("conditional", "condit"),
    ("cry", "cri"),
    ("by", "by"), ("say", "say"), ("yes", "yes"), ("youth", "youth"), ("controlling", "control"),
    ("boy's", "boy"),
    ("", ""), ("'em", "em"), ("na\u{EF}vely", "na\u{EF}v"),
  ])
  func stemsAreSnowballs(word: String, stem: String) {
    #expect(EnglishStemmer.stem(word) == stem)
  }

  @Test func linesAreNormalisedAsMeteorDoes() {
    let normalizer = MeteorNormalizer(prefixes: ["# comment", "mr", "no #NUMERIC_ONLY#", ""])
    #expect(
      normalizer.words(of: "He's at 5 p.m. with Mr. X...") == [
        "he", "'s", "at", "5", "pm", "with", "mr", ".", "x", "...",
      ])
    #expect(
      normalizer.words(of: "mr. X no. 5 no. X etc. and") == [
        "mr.", "x", "no.", "5", "no", ".", "x", "etc.", "and",
      ])
    #expect(
      normalizer.words(of: "a-b-c 1,000 x,y \u{201C}q\u{201D}") == [
        "a", "b-c", "1,000", "x", ",", "y", "\"", "q", "\"",
      ])
    #expect(normalizer.words(of: "").isEmpty)
  }

  // MARK: Data

  /// Returns METEOR's unpacked lists, as under `resources` in its source, with three paraphrases.
  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let lists = [
      "synonym/english.synsets": "car\n01 02\nautomobile\n02\nmouse\n03\nrodent\n03\n",
      "synonym/english.exceptions": "mouse\nmice\n", "function/english.words": "the\na\n",
      "nonbreaking/english.prefixes": "Mr\n",
    ]
    for (name, text) in lists {
      let url = folder.url.appendingPathComponent("resources/\(name)")
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
    try paraphrases(Self.paraphrases, in: folder)
    return folder
  }

  private func paraphrases(_ base64: String, in folder: TemporaryFolder) throws {
    let data = folder.url.appendingPathComponent("data")
    try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
    try #require(Data(base64Encoded: base64)).write(to: data.appendingPathComponent("paraphrase-en.gz"))
  }

  /// `at once` = `immediately`, `fast` = `in haste`, `unheard of` = `fast`, in METEOR's file
  /// format.
  private static let paraphrases =
    "H4sIAAAAAAACAzPQM+VKLFHIz0tO5crMzU1NyUwsSc2p5DLQM+RKSywu4crMU8gA0qlAESOu0ryM1MSiFIX8NIgkAOvkk9E+AAAA"
  /// An entry of two lines instead of three.
  private static let incomplete = "H4sIAAAAAAACAzPQM+VKLFHIz0tO5QIAWqV90QwAAAA="

  private func score(_ prediction: String, _ reference: String, _ resources: MeteorResources?) throws
    -> Double
  {
    let clip = ScoredClip(id: "1", prediction: prediction, references: [reference])
    return try #require(try CaptionScorer([clip], meteor: resources).clips["METEOR"]?.first)
  }

  @Test(arguments: [
    ("he left at once", "he left immediately"), ("he left immediately", "he left at once"),
    ("go in haste", "go fast"), ("one car", "one automobile"), ("two mice", "two rodents"),
  ])
  func synonymsAndParaphrasesMatch(prediction: String, reference: String) throws {
    let folder = try folder()
    let resources = try MeteorResources(folder: folder.url.path)
    #expect(try score(prediction, reference, resources) > score(prediction, reference, nil) + 10)
  }

  @Test func onlyParaphrasesOfKnownWordsAreKept() throws {
    let folder = try folder()
    let resources = try MeteorResources(folder: folder.url.path)
    #expect(try resources.paraphrases(among: ["at", "once", "immediately", "fast", "in"]).count == 1)
    #expect(
      try resources.paraphrases(among: ["at", "once", "immediately", "fast", "in", "haste"]).count == 2)
    #expect(try resources.paraphrases(among: []).count == 0)
  }

  @Test func missingOrDamagedDataIsNamed() throws {
    #expect(throws: DataError.self) { try MeteorResources(folder: "no such folder") }
    let empty = try TemporaryFolder()
    #expect(throws: DataError.self) { try MeteorResources(folder: empty.url.path) }
    let folder = try folder()
    let data = folder.url.appendingPathComponent("data/paraphrase-en.gz")
    try paraphrases(Self.incomplete, in: folder)
    let resources = try MeteorResources(folder: folder.url.path)
    #expect(throws: DataError.self) { try resources.paraphrases(among: ["at"]) }
    try Data("no gzip".utf8).write(to: data)
    #expect(throws: DataError.self) { try resources.paraphrases(among: ["at"]) }
    try FileManager.default.removeItem(at: data)
    #expect(throws: DataError.self) { try MeteorResources(folder: folder.url.path) }
    _ = try empty.write("no jar", to: "meteor-1.5.jar")
    #expect(throws: DataError.self) { try MeteorResources(folder: empty.url.path) }
  }

  // MARK: Alignment

  @Test func fewerChunksWinAmongEqualCoverage() {
    // "the" fits two places; next to "cat" it makes one chunk.
    let prediction = ["the", "cat"]
    let reference = ["the", "dog", "saw", "the", "cat"]
    var matcher = MeteorMatcher(resources: nil, paraphrases: ParaphraseTable())
    let alignment = MeteorAligner.align(matcher.matches(prediction: prediction, reference: reference))
    #expect(alignment.map(\.reference.lowerBound) == [3, 4])
    let statistics = MeteorStatistics(
      alignment: alignment, prediction: [true, false], reference: [true, false, false, true, false])
    #expect(statistics.chunks == 1)
  }

  @Test func repeatedWordsAreMatchedOnce() {
    let words = Array(repeating: "very", count: 60)
    var matcher = MeteorMatcher(resources: nil, paraphrases: ParaphraseTable())
    let alignment = MeteorAligner.align(
      matcher.matches(prediction: Array(words.prefix(50)), reference: words))
    #expect(Set(alignment.map(\.prediction.lowerBound)).count == alignment.count)
    #expect(alignment.count == 50)
  }
}
