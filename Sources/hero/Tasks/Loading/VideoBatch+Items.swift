import Corpus
import Formats
import Model

extension VideoBatch {
  /// Packs videos as the stores hold them.
  /// - Parameter model: gives the feature width and the vocabulary to check against.
  /// - Throws: `DataError` naming a video that the model cannot read.
  public init(_ videos: [VideoItem], model: ModelConfiguration) throws {
    for video in videos { try video.check(model) }
    var sequences: [SubtitleSequence] = []
    var first = 0
    for video in videos {
      sequences += video.sequences(from: first)
      first += video.frameCount
    }
    self.init(
      features: videos.map { $0.features[...] }, featureWidth: model.featureWidth,
      lengths: videos.map(\.frameCount),
      sequences: sequences, sentenceCounts: videos.map(\.subtitles.count),
      readsTextAlone: videos.contains(where: \.isTextAlone))
  }

  /// Packs several passes over each video, each with a text that follows every sentence.
  ///
  /// The passes over one video share its feature rows.
  /// - Throws: as above. The ids of the texts are not checked.
  init(
    _ videos: [VideoItem], passes: [(video: Int, text: [Int32])], model: ModelConfiguration
  ) throws {
    var firstRows: [Int] = []
    var rows = 0
    for video in videos {
      try video.check(model)
      firstRows.append(rows)
      rows += video.frameCount
    }
    var sequences: [SubtitleSequence] = []
    var featureRows: [Int] = []
    for pass in passes {
      let video = videos[pass.video]
      sequences += video.sequences(from: featureRows.count, followedBy: pass.text)
      featureRows += firstRows[pass.video]..<firstRows[pass.video] + video.frameCount
    }
    self.init(
      features: videos.map { $0.features[...] }, featureWidth: model.featureWidth,
      lengths: passes.map { videos[$0.video].frameCount }, sequences: sequences,
      sentenceCounts: passes.map { videos[$0.video].subtitles.count }, featureRows: featureRows,
      readsTextAlone: videos.contains(where: \.isTextAlone))
  }
}

extension VideoItem {
  /// Returns the video's sentences, with its frames counted from `first`.
  fileprivate func sequences(from first: Int, followedBy text: [Int32] = []) -> [SubtitleSequence] {
    subtitles.map { subtitle in
      SubtitleSequence(frames: subtitle.frames.map { first + $0 }, tokens: subtitle.tokens + text)
    }
  }
}

extension VideoItem {
  /// The most tokens of a sentence with its context: attention grows with their square.
  private static let mostTokens = 8192

  /// - Throws: `DataError` if the model cannot read the video: another feature width, ids beyond
  ///   the vocabulary, or more frames or sentences than the model has positions.
  func check(_ model: ModelConfiguration) throws {
    guard featureWidth == model.featureWidth else {
      throw DataError(
        "its features are \(featureWidth) wide, the model reads \(model.featureWidth)",
        place: "video \"\(name)\"", cure: "Make the feature store from one set of features")
    }
    if model.fusion == .sequence { try checkSequence(model) }
    for subtitle in subtitles {
      guard subtitle.tokens.count <= Self.mostTokens else {
        throw DataError(
          "a sentence with its context has \(subtitle.tokens.count) tokens, more than \(Self.mostTokens)",
          place: "video \"\(name)\"", cure: "Divide that sentence, or lower sub_ctx_len")
      }
      try checkTokens(subtitle.tokens, model, "video \"\(name)\"")
      guard subtitle.frames.count <= model.framePositions else {
        throw DataError(
          "a sentence has \(subtitle.frames.count) frames, the model \(model.framePositions) positions",
          place: "video \"\(name)\"", cure: "Lower max_clip_len")
      }
    }
  }
}

extension VideoItem {
  /// Checks what a model needs that reads frames and sentences in one sequence.
  private func checkSequence(_ model: ModelConfiguration) throws {
    func refuse(_ found: String, _ most: Int) -> DataError {
      DataError(
        "has \(found), the sequence model positions for \(most)", place: "video \"\(name)\"",
        cure: "Lower max_clip_len, or raise \"max_position_embeddings\" of the model before it is trained")
    }
    guard frameCount <= model.framePositions else {
      throw refuse("\(frameCount) frames", model.framePositions)
    }
    // RoBERTa's positions begin at 2.
    guard subtitles.count <= model.cross.positions - 2 else {
      throw refuse("\(subtitles.count) sentences", max(0, model.cross.positions - 2))
    }
    guard frameCount + subtitles.count <= model.temporal.positions else {
      throw refuse("\(frameCount) frames and \(subtitles.count) sentences", model.temporal.positions)
    }
  }
}

/// Checks a query of a retrieval model, whose encoder has a fixed table of positions.
///
/// - Parameter tokens: the query's tokens, including the leading special token.
/// - Throws: `DataError` for more tokens than the query encoder has positions, and for ids outside
///   the vocabulary.
public func checkQuery(_ tokens: [Int32], _ model: ModelConfiguration, _ place: String) throws {
  guard tokens.count <= model.query.positions else {
    throw DataError(
      "has \(tokens.count) tokens, the model reads \(model.query.positions)", place: place,
      cure: "Shorten it, or leave it out")
  }
  try checkTokens(tokens, model, place)
}

/// Checks a text that the model reads with each sentence of a video, as every such text is.
///
/// Attention grows with the square of its length, and with the number of sentences and answers.
/// - Throws: `DataError` for ids outside the vocabulary, or too many tokens for the model's
///   positions.
func checkText(_ tokens: [Int32], _ model: ModelConfiguration, _ place: String) throws {
  guard tokens.count <= model.cross.positions else {
    throw DataError(
      "has \(tokens.count) tokens, the model reads \(model.cross.positions)", place: place,
      cure: "Shorten it, or leave it out")
  }
  try checkTokens(tokens, model, place)
}

/// - Throws: `DataError` for ids outside the model's vocabulary.
public func checkTokens(_ tokens: [Int32], _ model: ModelConfiguration, _ place: String) throws {
  for token in tokens where token < 0 || token >= model.vocabularyRows {
    throw DataError(
      "holds the token \(token), the model knows \(model.vocabularyRows)", place: place,
      cure: "Use the stores and the model of one tokenizer")
  }
}
