import Formats
import Foundation

/// Turns a video's feature files into the entries of the store.
struct FeatureEncoder: Sendable {
  let options: VideoStoreOptions

  /// A video's entries, in order.
  struct Encoded: Sendable {
    struct Entry: Sendable {
      var key: String
      var value: [UInt8]
      var frames: Int
    }

    var entries: [Entry]
    /// Numbers per frame, of each part.
    var widths: [Int]
    /// What a person should know of how its files were read.
    var notes: [String] = []

    /// Numbers per frame.
    var width: Int { widths.reduce(0, +) }
  }

  /// Frames by which parts may differ without a word, as extractors disagree about a video's last
  /// moments.
  private static let looseFrames = 2
  /// The share of the frames, besides, by which they may differ at all: more is another sampling of
  /// the video, whose rows do not belong together.
  private static let looseShare = 10

  /// Bytes of a video's features when they are read, as its files say.
  static func byteCount(of video: FeatureFiles) -> Int {
    video.files.reduce(0) { $0 + ($1.map(FeatureFile.byteCount) ?? 0) }
  }

  /// Reads and encodes one video.
  /// - Throws: `UnreadableVideo` if one of its files is missing, damaged, or no matrix of finite
  ///   floats.
  func encode(_ video: FeatureFiles) throws -> Encoded {
    do {
      let (parts, read) = try self.parts(of: video)
      var notes = read
      let frames = try Self.frames(of: parts, of: options.features, listed: video.frames, &notes)
      let features = try Self.joined(parts, frames: frames)
      return Encoded(
        entries: try entries(of: features, named: video.name), widths: parts.map { $0.shape[1] },
        notes: notes)
    } catch let error as DataError {
      throw UnreadableVideo(error.sentence)
    }
  }

  /// Each part's features, and what to report about their files.
  private func parts(of video: FeatureFiles) throws -> ([NDArray], [String]) {
    if video.frames == 0 { throw UnreadableVideo("the list of files says that it has no frames") }
    let read = try zip(options.features, video.files).map { try matrix($1, kind: $0) }
    let notes = zip(options.features, read).flatMap { kind, part in
      [part.file.note, part.isZero ? "its \(kind) features are all 0, as where an extraction failed" : nil]
    }
    return (read.map(\.file.array), notes.compactMap { $0 })
  }

  /// The frames that all parts have.
  private static func frames(
    of parts: [NDArray], of names: [String], listed: Int?, _ notes: inout [String]
  ) throws -> Int {
    let rows = parts.map { $0.shape[0] }
    let (least, most) = (rows.min() ?? 0, rows.max() ?? 0)
    guard least > 0 else { throw UnreadableVideo("it has no frames") }
    let counts = zip(rows, names).map { "\($0) of \($1)" }.joined(separator: " and ")
    if most - least > looseFrames {
      guard (most - least) * looseShare <= most else {
        let looksTurned = Set(parts.map { $0.shape[1] }).count == 1 && rows.count > 1
        throw UnreadableVideo(
          "its parts are not of one rate: \(counts) rows; "
            + (looksTurned
              ? "all have \(parts[0].shape[1]) columns, so rows and columns may be exchanged: a row is a frame"
              : "extract them alike"))
      }
      notes.append("\(counts) rows, of which the first \(least) are taken")
    }
    if let listed, listed > least + looseFrames {
      notes.append("the list of files says \(listed) frames, its files have \(least), which are taken")
    }
    return min(least, listed ?? .max)
  }

  /// The features [frames, sum of the parts' widths] as 32-bit floats, or 64-bit where a file has
  /// those.
  private static func joined(_ parts: [NDArray], frames: Int) throws -> NDArray {
    let isDouble = parts.contains { $0.type == .float64 }
    return try sideBySide(
      parts.map { part in
        let rows = try part.rows(0..<frames)
        return isDouble ? rows.asFloat64() : rows.asFloat32()
      })
  }

  private func matrix(_ path: String?, kind: String) throws -> (file: FeatureFile, isZero: Bool) {
    guard let path else { throw UnreadableVideo("it has no readable \(kind) file") }
    let file = try FeatureFile(path: path)
    let array = file.array
    let values = array.floats()
    if let place = values.firstNotFinite {
      throw DataError(
        "frame \(place / max(1, array.shape[1])) holds \(values[place]), which is no feature", file: path)
    }
    return (file, values.allSatisfy { $0 == 0 })
  }

  /// Row by row, what the parts have in that row, one after the other; all have as many rows and
  /// one type.
  private static func sideBySide(_ parts: [NDArray]) throws -> NDArray {
    let rows = parts[0].shape[0]
    var bytes: [UInt8] = []
    bytes.reserveCapacity(parts.reduce(0) { $0 + $1.bytes.count })
    for row in 0..<rows {
      for part in parts {
        let stride = part.bytes.count / rows
        bytes += part.bytes[row * stride..<(row + 1) * stride]
      }
    }
    return try NDArray(
      shape: [rows, parts.reduce(0) { $0 + $1.shape[1] }], type: parts[0].type, bytes: bytes)
  }

  private func entries(of features: NDArray, named name: String) throws -> [Encoded.Entry] {
    let frames = features.shape[0]
    guard let clipFrames = options.clipFrames else {
      return [Encoded.Entry(key: name, value: try value(of: features), frames: frames)]
    }
    return try stride(from: 0, to: frames, by: clipFrames).enumerated().map { number, start in
      let piece = try features.rows(start..<min(start + clipFrames, frames))
      return Encoded.Entry(key: "\(name).\(number)", value: try value(of: piece), frames: piece.shape[0])
    }
  }

  private func value(of features: NDArray) throws -> [UInt8] {
    if options.compress { return try NPZ.encode([(name: "features", array: features)], compress: true) }
    let message = MessagePack.map([(.string("features"), try MessagePackNumpy.encode(features))])
    return try options.compression.compress(message.encode())
  }
}
