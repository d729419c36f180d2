import Corpus
import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

/// The reference's batches consist of what the stores hold and the loaders read.
@Suite(
  "Pre-training data against the reference")
struct PretrainingDataGoldenTests {
  private let reader: VideoReader
  private let items: [VideoItem]
  private let model: ModelConfiguration

  init() throws {
    let reader = try PretrainingCorpus.reader()
    self.reader = reader
    items = try reader.features.videos.filter { reader.frameCount(of: $0) ?? 0 > 0 }.map {
      try reader.read($0)
    }
    model = try Golden.configuration(try Golden.checkpoint("pretrain"))
  }

  /// Returns the stored videos of a golden batch, found by their frames.
  private func videos(of batch: VideoBatch, features: [Float]) throws -> [VideoItem] {
    try Segments(lengths: batch.lengths).ranges.map { frames in
      let own = features[frames.lowerBound * batch.featureWidth..<frames.upperBound * batch.featureWidth]
      return try #require(items.first { $0.features.elementsEqual(own) })
    }
  }

  @Test func fom() throws {
    let batch = try Golden("fom").videos()
    let stored = try VideoBatch(videos(of: batch, features: batch.allFeatures), model: model)
    #expect(batch.sequences == stored.sequences)
  }

  @Test(arguments: ["mfm-nce", "mffr"]) func mfm(_ name: String) throws {
    let golden = try Golden(name).maskedFrames()
    var features = golden.videos.allFeatures
    for (row, frame) in golden.videos.maskedFrames.enumerated() {
      let place = frame * golden.videos.featureWidth..<(frame + 1) * golden.videos.featureWidth
      features.replaceSubrange(place, with: golden.targets[row])
    }
    let stored = try VideoBatch(videos(of: golden.videos, features: features), model: model)
    #expect(golden.videos.sequences == stored.sequences)
  }

  /// Readers with the options' preceding sentences as context, and with none.
  ///
  /// The reference has a separate setting of the context for MLM and VSM. Its pre-training script
  /// sets both alike, but the maker of these batches left this one at 0.
  private var readers: [VideoReader] {
    get throws {
      let subtitles = try #require(reader.subtitles)
      return [reader.contextLength, 0].map {
        VideoReader(
          features: reader.features, subtitles: subtitles, maxClipLength: reader.maxClipLength ?? -1,
          contextLength: $0)
      }
    }
  }

  @Test func vsm() throws {
    let golden = try Golden("vsm").retrieval(queriesPerSlot: 5)
    let cls = try #require(reader.subtitles).meta.cls
    let stored = try videos(of: golden.videos, features: golden.videos.allFeatures)
    #expect(golden.slots == Array(stored.indices))
    let chosen = stored.enumerated().map { slot, item in
      let queries = slot * 5..<slot * 5 + 5
      let matches = item.subtitles.filter { subtitle in
        guard let first = subtitle.frames.first, let last = subtitle.frames.last else { return false }
        let end = min(max(first + 1, last), item.frameCount - 1)
        return queries.contains { query in
          golden.queries[query] == [cls] + item.sentences[subtitle.index].prefix(60)
            && golden.targets[query] == FrameSpan(start: first, end: end)
        }
      }
      #expect(matches.count == Set(queries.map { golden.targets[$0].start }).count)
      return Set(matches.map(\.index))
    }
    let texts = try readers.map { reader in
      paired(stored, chosen).flatMap { item, chosen in
        item.subtitles.map { reader.tokens(of: $0.index, in: item.sentences, omitting: chosen) }
      }
    }
    #expect(texts.contains(golden.videos.sequences.map(\.tokens)))
  }

  @Test func mlm() throws {
    let golden = try Golden("mlm").maskedText()
    var tokens = golden.sequences.flatMap(\.tokens)
    for (place, target) in paired(golden.masked, golden.targets) { tokens[place] = target }
    let texts = Segments(lengths: golden.sequences.map(\.tokens.count)).ranges.map { Array(tokens[$0]) }
    let features = golden.features.flatMap { $0 }
    let frames = golden.sequences.map { $0.frames.flatMap { row($0, of: features) } }
    #expect(!texts.isEmpty)
    let matches = try readers.map { reader in
      let cls = try #require(reader.subtitles).meta.cls
      let stored = items.flatMap { item in
        item.subtitles.map { subtitle in
          let text = (max(0, subtitle.index - reader.contextLength)...subtitle.index).flatMap {
            item.sentences[$0].prefix(60)
          }
          return (text: [cls] + text, frames: subtitle.frames.flatMap { row($0, of: item.features) })
        }
      }
      return paired(texts, frames).allSatisfy { text, frames in
        stored.contains { $0.text == text && $0.frames == frames }
      }
    }
    #expect(matches.contains(true))
  }

  private func row(_ frame: Int, of features: [Float]) -> ArraySlice<Float> {
    features[frame * model.featureWidth..<(frame + 1) * model.featureWidth]
  }
}

extension VideoReader {
  /// Returns `[SEP]` and the ids of a sentence after those of its context, without `omitted`.
  func tokens(of sentence: Int, in sentences: [[Int32]], omitting omitted: Set<Int>) -> [Int32] {
    let kept = (max(0, sentence - contextLength)...sentence).filter { !omitted.contains($0) }
    return [subtitles?.meta.sep ?? -1] + kept.flatMap { sentences[$0] }
  }
}
