import Formats
import Foundation

/// An encoder that turns a video's feature files into entries of the store.
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
    /// The number of features per frame of each part.
    var widths: [Int]
    /// Notes for the user about how the files were read.
    var notes: [String] = []

    /// The number of features per frame.
    var width: Int { widths.reduce(0, +) }
  }

  /// The number of frames by which parts may differ without a note, because extractors disagree
  /// about a video's last moments.
  private static let looseFrames = 2
  /// The inverse of the largest share of frames by which parts may differ.
  ///
  /// A larger difference means another sampling of the video, whose rows do not belong together.
  private static let looseShare = 10

  /// Returns the bytes of a video's features in memory, as its files tell them.
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

  /// Returns each part's features, and notes about their files.
  private func parts(of video: FeatureFiles) throws -> ([NDArray], [String]) {
    if video.frames == 0 { throw UnreadableVideo("the list of files says that it has no frames") }
    let read = try zip(options.features, video.files).map { try matrix($1, kind: $0) }
    let notes = zip(options.features, read).flatMap { kind, part in
      [part.file.note, part.isZero ? "its \(kind) features are all 0, as where an extraction failed" : nil]
    }
    return (read.map(\.file.array), notes.compactMap { $0 })
  }

  /// Returns the number of frames that all parts have.
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

  /// Returns the features [frames, sum of the parts' widths] as 32-bit floats, or as 64-bit floats
  /// if a file has those.
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

  /// Joins the parts row by row; all have the same type and number of rows.
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
