import Corpus
import Formats
import Foundation
import TestSupport

/// Feature and subtitle stores of a few videos, with random but reproducible frames.
public struct SmallStores {
  /// The folder of the stores, removed with the value.
  public let folder: TemporaryFolder
  /// The number of elements of a frame.
  public static let width = 8

  /// Makes no store yet; the two methods below do.
  public init() throws { folder = try TemporaryFolder() }

  /// The path of the feature store.
  public var features: String { folder.path("features/store") }
  /// The path of the subtitle store.
  public var subtitles: String { folder.path("subtitles") }

  /// Makes the feature store anew.
  /// - Parameter videos: names, numbers of frames, and seeds of the frames.
  public func makeFeatures(_ videos: [(name: String, frames: Int, seed: Int)]) throws {
    try? FileManager.default.removeItem(atPath: folder.path("features"))
    try FileManager.default.createDirectory(
      atPath: folder.path("features"), withIntermediateDirectories: true)
    let writer = try LMDBWriter(path: features)
    for (name, frames, seed) in videos {
      let values = SmallModel.frames(of: seed, count: frames, width: Self.width)
      let file = folder.path("one.npz")
      try NPZ.write(path: file, [("features", NDArray(floats: values, shape: [frames, Self.width]))])
      try writer.put(name, try FileBytes.read(path: file))
    }
    try writer.finish()
    let counts = JSON.object(JSONObject(videos.map { (key: $0.name, value: .int($0.frames)) }))
    _ = try folder.file("features/id2nframe.json", counts.encoded())
  }

  /// Makes the subtitle store anew.
  /// - Parameter videos: names, numbers of frames, and sentences with their times.
  public func makeSubtitles(
    _ videos: [(name: String, frames: Int, sentences: [SpokenSentence])], tokenizer: String
  ) throws {
    try? FileManager.default.removeItem(atPath: subtitles)
    let rows = videos.map { video -> String in
      let sentences = video.sentences.map { sentence -> JSON in
        ["text": .string(sentence.text), "start": .double(sentence.start), "end": .double(sentence.end)]
      }
      return (["vid_name": .string(video.name), "sub": .array(sentences)] as JSON).encoded()
    }
    let annotation = try folder.file("subtitles.jsonl", rows.joined(separator: "\n") + "\n")
    let frames = JSON.object(JSONObject(videos.map { (key: $0.name, value: .int($0.frames)) }))
    var builder = TextStoreBuilder(
      task: .subtitles, annotation: annotation, output: subtitles, tokenizer: tokenizer)
    builder.vid2nframe = try folder.file("frames.json", frames.encoded())
    _ = try builder.build()
  }
}
