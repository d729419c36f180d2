import Foundation
import TestSupport
import Testing

@testable import Corpus
@testable import Formats

/// The reference's answers, read through the options they were made with.
enum Golden {
  static func path(_ name: String) throws -> String {
    SharedData.golden.appendingPathComponent(name).path
  }

  static func options() throws -> JSON { try JSON.read(path: path("expected/options.json")) }

  static func option(_ name: String) throws -> Double { try #require(options()[name]?.double) }

  static func features(compressed: Bool = false) throws -> FeatureStore {
    try FeatureStore(
      path: path("db/video_db/tv"), frameLength: option("frame_interval"), compressed: compressed)
  }

  static func subtitles() throws -> SubtitleStore {
    try SubtitleStore(path: path("db/txt_db/tv_subtitles.db"))
  }

  static func reader() throws -> VideoReader {
    VideoReader(
      features: try features(), subtitles: try subtitles(), maxClipLength: Int(try option("max_clip_len")),
      contextLength: Int(try option("sub_ctx_len")))
  }

  /// The rows of an annotation file of the corpus.
  static func rows(_ name: String) throws -> [JSON] {
    var rows: [JSON] = []
    try JSONLines.read(path: path("corpus/ann/\(name).jsonl")) { rows.append($1) }
    return rows
  }
}

/// A collated, padded batch of the reference.
struct GoldenBatch {
  let tensors: [String: NDArray]
  let rest: JSON

  init(_ task: String) throws {
    let file = try Safetensors.read(path: Golden.path("expected/\(task).batch.safetensors"))
    tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.array) })
    rest = try JSON.read(path: Golden.path("expected/\(task).batch.json"))
  }

  func shape(_ name: String) throws -> [Int] { try #require(tensors[name]).shape }

  /// Row `index` of a matrix of integers.
  func integers(_ name: String, row index: Int) throws -> [Int] {
    let tensor = try #require(tensors[name])
    return try tensor.rows(index..<index + 1).int64s().map(Int.init)
  }

  /// The first `count` elements of row `index` of a tensor of floats.
  func floats(_ name: String, row index: Int, count: Int) throws -> [Float] {
    let row = try #require(tensors[name]).rows(index..<index + 1).floats()
    return Array(row.prefix(count))
  }
}
