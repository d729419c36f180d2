import Corpus
import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite("Batches of pre-training")
struct PretrainingLoaderTests {
  private func random(_ step: UInt64 = 0) -> RandomStream { RandomStream(seed: 3, step: step, stream: 2) }

  /// Returns all videos of the loader, as the stores hold them.
  private func items<Asked: Objective>(_ loader: PretrainingLoader<Asked>) throws -> [VideoItem] {
    try (0..<loader.itemCount).map {
      try loader.videos.video($0).part.reader.read(loader.videos.video($0).id)
    }
  }

  private func batch<Asked: Objective>(
    _ loader: PretrainingLoader<Asked>, _ step: UInt64 = 0
  ) throws -> Asked.Batch {
    try #require(try loader.batch(of: Array(0..<loader.itemCount), random: random(step)))
  }

  @Test func batchesAreAFunctionOfTheirStream() throws {
    func check<Asked: Objective>(_ objective: Asked.Type) throws {
      let loader = try PretrainingCorpus.loader(objective)
      let (first, again, other) = (try batch(loader), try batch(loader), try batch(loader, 1))
      #expect("\(first)" == "\(again)")
      #expect("\(first)" != "\(other)")
    }
    try check(MaskedWords.self)
    try check(MaskedFrames.self)
    try check(FeatureRegression.self)
    try check(FrameOrder.self)
    try check(SubtitleMatching.self)
  }

  @Test func maskedWordsAreThoseOfTheSentences() throws {
    let loader = try PretrainingCorpus.loader(MaskedWords.self) { $0.maxTextLength = 4 }
    let batch = try batch(loader)
    let meta = loader.videos.parts[0].meta
    var (original, features): ([[Int32]], [Float]) = ([], [])
    for item in try items(loader) {
      for subtitle in item.subtitles {
        let context = loader.videos.parts[0].reader.contextLength
        let text = (max(0, subtitle.index - context)...subtitle.index).flatMap {
          item.sentences[$0].prefix(4)
        }
        guard !text.isEmpty else { continue }
        original.append([meta.cls] + text)
        for frame in subtitle.frames {
          features += item.features[frame * item.featureWidth..<(frame + 1) * item.featureWidth]
        }
      }
    }
    #expect(batch.features.flatMap { $0 } == features)
    #expect(batch.sequences.flatMap(\.frames) == Array(0..<features.count / batch.featureWidth))
    #expect(batch.sequences.map(\.tokens.count) == original.map(\.count))
    var tokens = batch.sequences.flatMap(\.tokens)
    #expect(!original.isEmpty && batch.masked.count == batch.targets.count)
    for (place, target) in paired(batch.masked, batch.targets) { tokens[place] = target }
    #expect(tokens == original.flatMap { $0 })
    // Every sentence has at least one masked word, and the leading token is never masked.
    var start = 0
    for sentence in original {
      #expect(batch.masked.contains { ($0 > start) && ($0 < start + sentence.count) })
      #expect(!batch.masked.contains(start))
      start += sentence.count
    }
  }

  @Test func hiddenFramesAreZeroAndAreTheTargets() throws {
    let contrast = try PretrainingCorpus.loader(MaskedFrames.self)
    try check(try batch(contrast), contrast)
    let regression = try PretrainingCorpus.loader(FeatureRegression.self)
    try check(try batch(regression), regression)
  }

  private func check<Asked: Objective>(
    _ batch: MaskedFrameBatch, _ loader: PretrainingLoader<Asked>
  ) throws {
    let whole = try VideoBatch(items(loader), model: loader.model)
    var features = batch.videos.allFeatures
    for (row, frame) in batch.videos.maskedFrames.enumerated() {
      let place = frame * whole.featureWidth..<(frame + 1) * whole.featureWidth
      #expect(features[place].allSatisfy { $0 == 0 })
      features.replaceSubrange(place, with: batch.targets[row])
    }
    #expect(features == whole.allFeatures && batch.videos.sequences == whole.sequences)
    for video in Segments(lengths: whole.lengths).ranges {
      #expect(batch.videos.maskedFrames.contains { video.contains($0) })
    }
  }

  @Test func framesMoveWithinTheirVideo() throws {
    let batch = try batch(try PretrainingCorpus.loader(FrameOrder.self))
    #expect(batch.order.sorted() == Array(0..<batch.videos.frameCount))
    let segments = Segments(lengths: batch.videos.lengths).ranges
    for (place, target) in paired(batch.places, batch.targets) {
      let video = try #require(segments.first { $0.contains(place) })
      #expect(target < video.count && batch.order[video.lowerBound + target] == place)
    }
    let moved = batch.order.indices.filter { batch.order[$0] != $0 }
    #expect(Set(moved).isSubset(of: Set(batch.places)) && !moved.isEmpty)
  }

  @Test(arguments: [5, 40]) func queriesVanishFromTheText(perVideo: Int) throws {
    let loader = try PretrainingCorpus.loader(SubtitleMatching.self) { $0.queriesPerVideo = perVideo }
    let batch = try batch(loader)
    let (read, meta) = (try items(loader), loader.videos.parts[0].meta)
    #expect(batch.queriesPerSlot == perVideo && batch.queries.count == read.count * perVideo)
    var sequences = batch.videos.sequences[...]
    for (place, item) in read.enumerated() {
      let own = place * perVideo..<(place + 1) * perVideo
      let candidates = item.subtitles.filter { !$0.frames.isEmpty }
      // Targets are the frames of whole sentences, so they identify the chosen sentences.
      let spans = candidates.map { subtitle in
        [
          subtitle.frames[0],
          min(max(subtitle.frames[0] + 1, subtitle.frames.last ?? 0), item.frameCount - 1),
        ]
      }
      var chosen: Set<Int> = []
      for query in own {
        let target = [batch.targets[query].start, batch.targets[query].end]
        let match = candidates.indices.first {
          spans[$0] == target && batch.queries[query] == [meta.cls] + item.sentences[candidates[$0].index]
        }
        chosen.insert(candidates[try #require(match)].index)
      }
      #expect(chosen.count == min(perVideo, candidates.count))
      for query in own.dropFirst(chosen.count) {
        #expect(batch.queries[query] == batch.queries[query - 1])
      }
      let reader = loader.videos.parts[0].reader
      for subtitle in item.subtitles {
        let next = sequences.popFirst()
        let sequence = try #require(next)
        let rest = reader.tokens(of: subtitle.index, in: item.sentences, omitting: chosen)
        #expect(sequence.tokens == rest)
        #expect(sequence.frames.count == subtitle.frames.count)
      }
    }
    #expect(sequences.isEmpty)
  }

  @Test func idListsMustBeLists() throws {
    let folder = try TemporaryFolder()
    for text in ["{}", "[1]", "[\"a\", null]", "["] {
      let file = try folder.file("ids.json", text)
      #expect(throws: DataError.self) { try PretrainingVideos.readIDs(path: file) }
    }
  }

  @Test func missingVideosAreLeftOut() throws {
    let reader = try PretrainingCorpus.reader()
    let ids = try PretrainingVideos.readIDs(
      path: PretrainingCorpus.path("corpus/pretrain_splits/tv_val.json"))
    let videos = try PretrainingVideos([(reader, ["gone"] + ids + ["gone too"])])
    #expect(videos.count == ids.count && videos.missing == ["gone", "gone too"])
    #expect(Set((0..<videos.count).map { videos.video($0).id }) == Set(ids))
    // If all videos are missing, the list or the store is wrong.
    let error = try #require(throws: DataError.self) { try PretrainingVideos([(reader, ["no such video"])]) }
    #expect(error.place == "video \"no such video\"")
  }
}
