import Corpus
import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing

@testable import Tasks

/// VALUE's answers, if there are any.
private enum WholeVideoGolden {
  static let name = "cap_whole_video.video_sub"
  static let folder: String? = SharedData.valueGolden.map(\.path).flatMap { folder in
    FileManager.default.fileExists(atPath: "\(folder)/\(name).batch.json") ? folder : nil
  }
}

/// Retrieval queries serve as captions of whole videos, as VALUE trains its captioners.
@Suite("Captions of whole videos against VALUE", .enabled(if: WholeVideoGolden.folder != nil))
struct WholeVideoCaptionTests {
  @Test(arguments: TestDevice.exact) func queriesAsCaptions(device: TestDevice) throws {
    let folder = try #require(WholeVideoGolden.folder)
    let golden = try Golden(WholeVideoGolden.name, in: folder)
    let expected = try golden.expected()
    let model = try CaptionGoldenTests.model(on: device)
    let loader = try CaptionLoader(
      captions: [try CaptionStore(path: GoldenStores.path("db/txt_db/tvr_train.db"))],
      videos: GoldenStores.videos(), maxTextLength: -1, captionsPerVideo: -1,
      frameInterval: GoldenStores.interval(), model: model.configuration)
    let options = try JSON.read(path: "\(folder)/options.json")
    let rows = try #require(options["rows"]?["cap_whole_video"]?.array).compactMap(\.int)
    let batch = try #require(try loader.batch(of: rows, random: RandomStream(seed: 0, stream: 0)))
    let targets = try golden.unpadded("cap_tgt_ids")
    #expect(batch.targets == targets)
    #expect(batch.inputs == (try golden.unpadded("cap_input_ids", lengths: targets.map(\.count))))
    #expect(Pass.all(of: batch.videos) == Pass.all(of: try golden.videos()))
    #expect(batch.clips.map(\.frames) == batch.videos.lengths.map { 0..<$0 })
    let backend = model.store.backend
    let input = batch.prepared(for: model.configuration, on: backend)
    let tape = Tape.training(backend, seed: 1, step: 0)
    let smoothing = Float(try #require(options["caption_label_smoothing"]?.double))
    let losses = try #require(model.wordLosses(tape, input, smoothing: smoothing))
    expectClose(backend.values(of: losses), try #require(expected["loss"]).floats(), "loss of each word")
  }

  /// With a number of captions a video, items are videos with at most that many captions.
  @Test func videosAsItems() throws {
    let model = try CaptionGoldenTests.model(on: .cpu)
    let store = try CaptionStore(path: GoldenStores.path("db/txt_db/tvr_train.db"))
    let loader = try CaptionLoader(
      captions: [store], videos: GoldenStores.videos(), maxTextLength: -1, captionsPerVideo: 2,
      frameInterval: GoldenStores.interval(), model: model.configuration)
    #expect(loader.itemCount == store.videos.count)
    let batch = try #require(try loader.batch(of: [0], random: RandomStream(seed: 0, stream: 0)))
    #expect(batch.clips.count == min(2, store.captionIDs(of: store.videos[0]).count))
  }
}
