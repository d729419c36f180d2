import Engine
import Model

@testable import Tasks

/// A model of every kind of layer, small enough for numeric differentiation, with videos for it.
enum TinyModel {
  static let featureWidth = 6

  /// The configuration: width 8, 2 heads, 1 + 1 layers, a decoder of 1 layer, no dropout.
  static let configuration: ModelConfiguration = {
    func part(_ layers: Int, vocabulary: Int? = nil) -> TransformerConfiguration {
      TransformerConfiguration(
        hiddenSize: 8, layers: layers, heads: 2, intermediateSize: 16, positions: 16, vocabulary: vocabulary,
        hiddenDropout: 0, attentionDropout: 0)
    }
    return ModelConfiguration(
      cross: part(1, vocabulary: 21), temporal: part(1), query: part(0), decoder: part(1),
      featureWidth: featureWidth, framePositions: 8)
  }()

  static let lengths = [5, 4, 3]

  /// The sentences: frames 3 and 11 belong to none, and one has no frames.
  static let sequences = [
    SubtitleSequence(frames: [0, 1, 2], tokens: [2, 5, 6, 7]),
    SubtitleSequence(frames: [4], tokens: [2, 8, 9]),
    SubtitleSequence(frames: [], tokens: [2, 10]), SubtitleSequence(frames: [5, 6], tokens: [2, 11, 12, 5]),
    SubtitleSequence(frames: [7, 8], tokens: [2, 13]),
    SubtitleSequence(frames: [9, 10], tokens: [2, 14, 6, 15]),
  ]

  static let sentenceCounts = [3, 2, 1]

  static func features(_ rows: Int, seed: UInt64 = 3) -> [Float] {
    var random = RandomStream(seed: seed, stream: 0)
    return (0..<rows * featureWidth).map { _ in random.normalPair().0 }
  }

  static var videos: VideoBatch {
    VideoBatch(
      features: [features(12)[...]], featureWidth: featureWidth, lengths: lengths, sequences: sequences,
      sentenceCounts: sentenceCounts)
  }

  /// Returns a query for every place of `slots`; the moments of some are unknown.
  static func retrieval(slots: [Int] = [0, 1, 2], queriesPerSlot: Int = 1) -> RetrievalBatch {
    var queries: [[Int32]] = []
    var targets: [FrameSpan] = []
    for query in 0..<slots.count * queriesPerSlot {
      let length = 3 + query % 3
      queries.append((0..<length).map { (place: Int) -> Int32 in Int32(4 + (query * 5 + place * 3) % 17) })
      let start = query % 2
      targets.append(query % 4 == 3 ? .unknown : FrameSpan(start: start, end: start + 1))
    }
    return RetrievalBatch(
      videos: videos, queries: queries, slots: slots, queriesPerSlot: queriesPerSlot, targets: targets)
  }

  /// Returns two questions about the first two videos, each with `answers` texts that end every
  /// sentence.
  static func questions(answers: Int, spans: Bool) -> QuestionBatch {
    var rows: [Int] = []
    var passes: [Int] = []
    var texts: [[Int32]] = []
    var sequences: [SubtitleSequence] = []
    var sentences: [Int] = []
    for video in 0..<2 {
      let first = video == 0 ? 0 : Self.lengths[0]
      let frames = first..<first + Self.lengths[video]
      let before = Self.sentenceCounts[..<video].reduce(0, +)
      let own = Self.sequences[before..<before + Self.sentenceCounts[video]]
      for answer in 0..<answers {
        let words = (0...answer).map { word -> Int32 in Int32(17 + (word + video) % 4) }
        let text = [2, Int32(5 + video), 16, 2] + words
        let shift = rows.count - first
        for sequence in own {
          sequences.append(
            SubtitleSequence(frames: sequence.frames.map { $0 + shift }, tokens: sequence.tokens + text))
        }
        rows += Array(frames)
        sentences.append(own.count)
        passes.append(frames.count)
        texts.append(text)
      }
    }
    return QuestionBatch(
      videos: VideoBatch(
        features: [features(9)[...]], featureWidth: featureWidth, lengths: passes, sequences: sequences,
        sentenceCounts: sentences, featureRows: rows),
      texts: texts, pairsPerQuestion: [answers, answers], targets: [1, 0],
      spans: spans ? [FrameSpan(start: 1, end: 3), FrameSpan(start: 0, end: 2)] : [])
  }

  static var captions: CaptionBatch {
    CaptionBatch(
      videos: videos, clips: [(0, 1..<4), (0, 0..<1), (2, 0..<3)],
      inputs: [[0, 5, 6, 7], [0, 8], [0, 9, 10]], targets: [[5, 6, 7, 2], [8, 2], [9, 10, 2]])
  }

  static var maskedText: MaskedTextBatch {
    MaskedTextBatch(
      features: [features(5)[...]], featureWidth: featureWidth,
      sequences: [
        SubtitleSequence(frames: [0, 1, 2], tokens: [0, 20, 6, 20]),
        SubtitleSequence(frames: [3, 4], tokens: [0, 20, 9]),
      ],
      masked: [1, 3, 5], targets: [5, 7, 8])
  }

  static var maskedFrames: MaskedFrameBatch {
    var features = features(12)
    let hidden = [1, 6, 11]
    var targets: [ArraySlice<Float>] = []
    for frame in hidden {
      let row = frame * featureWidth..<(frame + 1) * featureWidth
      targets.append(features[row])
      for place in row { features[place] = 0 }
    }
    return MaskedFrameBatch(
      videos: VideoBatch(
        features: [features[...]], featureWidth: featureWidth, lengths: lengths, sequences: sequences,
        sentenceCounts: sentenceCounts, maskedFrames: hidden),
      targets: targets)
  }

  /// A batch where frames 0, 1, 3 of the first video and 0, 2 of the second change places.
  static var frameOrder: FrameOrderBatch {
    FrameOrderBatch(
      videos: videos, order: [3, 0, 2, 1, 4, 7, 6, 5, 8, 9, 10, 11], places: [3, 0, 1, 7, 5],
      targets: [0, 1, 3, 0, 2])
  }
}
