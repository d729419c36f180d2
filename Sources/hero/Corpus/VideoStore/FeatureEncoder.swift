import Formats

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
    /// Numbers per frame.
    var width: Int
  }

  /// Reads and encodes one video.
  /// - Throws: `UnreadableVideo` if one of its files is missing, damaged, or no matrix of finite floats.
  func encode(_ video: FeatureFiles) throws -> Encoded {
    do {
      let features = try features(of: video)
      return Encoded(entries: try entries(of: features, named: video.name), width: features.shape[1])
    } catch let error as DataError {
      throw UnreadableVideo(error.description)
    }
  }

  /// The features [frames, sum of the parts' widths] as 32-bit floats, or 64-bit where a file has those.
  func features(of video: FeatureFiles) throws -> NDArray {
    if video.frames == 0 { throw UnreadableVideo("the list of files says that it has no frames") }
    let read = try zip(options.features, video.files).map { try matrix($1, kind: $0) }
    // The extractors may disagree about a video's last moments.
    let frames = min(read.map { $0.shape[0] }.min() ?? 0, video.frames ?? .max)
    guard frames > 0 else { throw UnreadableVideo("it has no frames") }
    let isDouble = read.contains { $0.type == .float64 }
    return try Self.sideBySide(
      read.map { part in
        let rows = try part.rows(0..<frames)
        return isDouble ? rows.asFloat64() : rows.asFloat32()
      })
  }

  private func matrix(_ path: String?, kind: String) throws -> NDArray {
    guard let path else { throw UnreadableVideo("it has no readable \(kind) file") }
    let array = try NPZ.read(path: path, name: "features")
    guard array.shape.count == 2, array.type.isFloatingPoint else {
      throw DataError(
        "“features” is \(array.type) of shape \(array.shape), not floats [frames, width]", file: path)
    }
    let values = array.floats()
    if let place = values.firstNotFinite {
      throw DataError(
        "frame \(place / max(1, array.shape[1])) holds \(values[place]), which is no feature", file: path)
    }
    return array
  }

  /// Row by row, what the parts have in that row, one after the other; all have as many rows and one type.
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
