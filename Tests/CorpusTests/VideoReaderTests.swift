import Formats
import TestSupport
import Testing

@testable import Corpus

@Suite struct VideoReaderGoldenTests {
  /// Without its padding, the reference's batch equals what is read here, sequence by sequence.
  @Test(arguments: ["tvr", "adamw.0", "adamw.1", "adamw.2", "msrvtt_video_sub"])
  func videosAreThoseOfTheBatch(_ task: String) throws {
    try compare(task, try Golden.reader())
  }

  @Test func videosWithoutSubtitlesAreThoseOfTheBatch() throws {
    let queries = try QueryStore(path: Golden.path("db/txt_db/tvr_train.db"))
    let reader = VideoReader(
      features: try Golden.features(), videoOnly: queries.meta.cls,
      maxClipLength: Int(try Golden.option("max_clip_len")))
    try compare("didemo_video_only", reader)
  }

  private func compare(_ task: String, _ reader: VideoReader) throws {
    let batch = try GoldenBatch(task)
    let names = try #require(batch.rest["vids"]?.array).compactMap(\.string)
    let plans = try #require(batch.rest["sub_idx2frame_idx"]?.array)
    #expect(names.count == plans.count && !names.isEmpty)
    let paddedText = try batch.shape("f_sub_input_ids")[1]
    let paddedFrames = try batch.shape("f_v_feats")[1]
    var sequence = 0
    for (place, name) in names.enumerated() {
      let video = try reader.read(name)
      let width = video.featureWidth
      let features = try batch.floats("c_v_feats", row: place, count: video.features.count)
      #expect(video.features == features, "\(name)")
      #expect(try batch.integers("c_attn_masks", row: place).reduce(0, +) == video.frameCount)
      let plan = try #require(plans[place].array)
      #expect(
        video.subtitles.map { JSON.array([.int($0.index), .array($0.frames.map { .int($0) })]) } == plan,
        "\(name)")
      for subtitle in video.subtitles {
        let count = try batch.integers("f_sub_input_attn_masks", row: sequence).reduce(0, +)
        let ids = try batch.integers("f_sub_input_ids", row: sequence)
        #expect(subtitle.tokens.map(Int.init) == Array(ids[..<count]), "\(name)")
        let own = subtitle.frames.flatMap { video.features[$0 * width..<($0 + 1) * width] }
        #expect(try batch.floats("f_v_feats", row: sequence, count: own.count) == own, "\(name)")
        // A sequence is frames, then text; the gather index skips the frames that pad.
        let gather = try batch.integers("f_gather_index", row: sequence)
        let frames = subtitle.frames.isEmpty ? 1 : subtitle.frames.count
        let expected = Array(0..<frames) + (0..<count).map { paddedFrames + $0 }
        #expect(Array(gather[..<(frames + count)]) == expected, "\(name)")
        sequence += 1
      }
    }
    #expect(try batch.shape("f_sub_input_ids") == [sequence, paddedText])
  }

  /// Cut videos are reported, and windows of a video hold the sentences said in them.
  @Test func longVideos() throws {
    let (features, subtitles) = (try Golden.features(), try Golden.reader().subtitles)
    let store = try #require(subtitles)
    let name = try #require(
      features.videos.max { (features.frameCount(of: $0) ?? 0) < (features.frameCount(of: $1) ?? 0) })
    let count = try #require(features.frameCount(of: name))
    func reader(_ length: Int) -> VideoReader {
      VideoReader(features: features, subtitles: store, maxClipLength: length, contextLength: 1)
    }
    #expect(reader(count).cutNote == nil && reader(0).cutNote == nil)
    #expect(reader(count - 1).cutNote?.contains("max_clip_len (\(count - 1))") == true)

    let reader = reader(0)
    let (long, whole) = (try reader.open(name), try reader.read(name))
    #expect(long.frameCount == count)
    #expect(try reader.read(0..<count, of: long) == whole)
    let window = 3..<count - 2
    let item = try reader.read(window, of: long)
    let width = whole.featureWidth
    #expect(item.features == Array(whole.features[window.lowerBound * width..<window.upperBound * width]))
    for subtitle in whole.subtitles {
      let inside = subtitle.frames.filter(window.contains).map { $0 - window.lowerBound }
      let found = item.subtitles.first { $0.index == subtitle.index }
      #expect((found?.frames ?? []) == inside && (found == nil || found?.tokens == subtitle.tokens))
    }
  }

  @Test func missingVideosAreNamed() throws {
    let reader = try Golden.reader()
    let error = try #require(throws: DataError.self) { try reader.read("no such video") }
    #expect(error.place == "video \"no such video\"" && error.cure != nil)
    #expect(throws: DataError.self) { try reader.check(["no such video"]) }
    #expect(throws: Never.self) { try reader.check(reader.features.videos) }
  }
}

@Suite struct SubtitleWalkTests {
  static let text = Subtitles(
    video: "v", sentences: [[5, 6], [7], [], [8, 9], [10]],
    frames: [(0, [0, 1]), (1, []), (2, [3, 4, 5]), (3, [7]), (4, [])])

  @Test(arguments: [
    (10, [[0, 1], [], [3, 4, 5], [7], []]), (8, [[0, 1], [], [3, 4, 5], [7], []]),
    (7, [[0, 1], [], [3, 4, 5]]),
    (5, [[0, 1], [], [3, 4]]), (3, [[0, 1], []]), (2, [[0, 1], []]), (1, [[0]]),
  ])
  func aSentenceThatLosesFramesEndsTheWalk(_ frameCount: Int, _ expected: [[Int]]) {
    let kept = VideoReader.walk(Self.text, frameCount: frameCount)
    #expect(kept.map(\.frames) == expected)
    #expect(kept.map(\.sentence) == Array(0..<expected.count))
  }
}
