import Formats

/// Turns a video's two feature files into the entries of the store.
struct VideoEncoder: Sendable {
  private let compress: Bool
  private let compression: Compression
  private let clipFrames: Int?

  init(options: VideoStoreOptions) {
    compress = options.compress
    compression = options.compression
    clipFrames = options.clipFrames
  }

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
  /// - Throws: `UnreadableVideo` if one of its files is missing, damaged, or no matrix of floats.
  func encode(_ video: FeatureFiles) throws -> Encoded {
    do {
      let features = try features(of: video)
      return Encoded(entries: try entries(of: features, named: video.name), width: features.shape[1])
    } catch let error as DataError {
      throw UnreadableVideo(error.description)
    }
  }

  /// The features [frames, resnet width + slowfast width] as 32-bit floats, or 64-bit where a file has those.
  func features(of video: FeatureFiles) throws -> NDArray {
    if video.frames == 0 { throw UnreadableVideo("the list of files says that it has no frames") }
    let resnet = try matrix(video.resnet, kind: "resnet")
    let slowfast = try matrix(video.slowfast, kind: "slowfast")
    // The two extractors may disagree about a video's last moments.
    let frames = min(resnet.shape[0], slowfast.shape[0], video.frames ?? .max)
    guard frames > 0 else { throw UnreadableVideo("it has no frames") }
    let isDouble = resnet.type == .float64 || slowfast.type == .float64
    let parts = try [resnet, slowfast].map { part in
      let rows = try part.rows(0..<frames)
      return isDouble ? rows.asFloat64() : rows.asFloat32()
    }
    return try Self.sideBySide(parts[0], parts[1])
  }

  private func matrix(_ path: String?, kind: String) throws -> NDArray {
    guard let path else { throw UnreadableVideo("it has no readable \(kind) file") }
    let array = try NPZ.read(path: path, name: "features")
    guard array.shape.count == 2, array.type.isFloatingPoint else {
      throw DataError(
        "“features” is \(array.type) of shape \(array.shape), not floats [frames, width]", file: path)
    }
    return array
  }

  /// The rows of `left`, each followed by the same row of `right`; both have as many rows and one type.
  private static func sideBySide(_ left: NDArray, _ right: NDArray) throws -> NDArray {
    let rows = left.shape[0]
    let (leftStride, rightStride) = (left.bytes.count / rows, right.bytes.count / rows)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(left.bytes.count + right.bytes.count)
    for row in 0..<rows {
      bytes += left.bytes[row * leftStride..<(row + 1) * leftStride]
      bytes += right.bytes[row * rightStride..<(row + 1) * rightStride]
    }
    return try NDArray(shape: [rows, left.shape[1] + right.shape[1]], type: left.type, bytes: bytes)
  }

  private func entries(of features: NDArray, named name: String) throws -> [Encoded.Entry] {
    let frames = features.shape[0]
    guard let clipFrames else {
      return [Encoded.Entry(key: name, value: try value(of: features), frames: frames)]
    }
    return try stride(from: 0, to: frames, by: clipFrames).enumerated().map { number, start in
      let piece = try features.rows(start..<min(start + clipFrames, frames))
      return Encoded.Entry(key: "\(name).\(number)", value: try value(of: piece), frames: piece.shape[0])
    }
  }

  private func value(of features: NDArray) throws -> [UInt8] {
    if compress { return try NPZ.encode([(name: "features", array: features)], compress: true) }
    let message = MessagePack.map([(.string("features"), try MessagePackNumpy.encode(features))])
    return try compression.compress(message.encode())
  }
}
