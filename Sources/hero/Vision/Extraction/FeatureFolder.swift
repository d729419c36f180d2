import Formats
import Foundation

/// The folder that features are written to, as `convert-videodb` reads it:
/// `NETWORK_features/VIDEO.npz` with an array `features` of [rows, width] float16, and
/// `failed.json` with what could not be read.
public final class FeatureFolder {
  public let path: String
  private var failures: [(path: String, reason: String)] = []
  private var failuresFile: String { "\(path)/failed.json" }

  /// Makes the folder, with one for each network.
  ///
  /// Throws `DataError` if it cannot, and where a `failed.json` is there that no list of failures
  /// is.
  public init(path: String, networks: [String]) throws {
    self.path = path
    if FileManager.default.fileExists(atPath: "\(path)/failed.json") {
      let list = try? JSON.read(path: "\(path)/failed.json").object
      guard let list, list.values.allSatisfy({ $0.string != nil }) else {
        throw DataError(
          "is in the way: it is no list of failures", file: "\(path)/failed.json",
          cure: "Move it, or give another --output")
      }
    }
    for network in networks { try OutputFolder.make("\(path)/\(network)_features") }
  }

  /// Where a network's features of a video are.
  public func file(of video: String, network: String) -> String {
    "\(path)/\(network)_features/\(Self.identifier(of: video)).npz"
  }

  /// What a video is called: its file's name without the ending.
  public static func identifier(of video: String) -> String { FileEndings.stem(of: video) }

  /// Bytes that a video's name may have: a file system takes 255 with the ending.
  static let longestName = 255 - ".npz".utf8.count

  /// Those of the networks whose features of a video are not there. Files are there whole or not at
  /// all.
  public func missing(_ networks: [String], of video: String) -> Set<String> {
    Set(networks.filter { !FileManager.default.fileExists(atPath: file(of: video, network: $0)) })
  }

  /// Writes the features of a video, or notes why there are none.
  public func write(_ video: ExtractedVideo) throws {
    if let failure = video.failure {
      failures.append((video.path, "\(failure)"))
      try writeFailures()
    }
    for (network, features) in video.features {
      try NPZ.write(
        path: file(of: video.path, network: network),
        [
          (name: "features", array: features.array()),
          (name: "span", array: try Self.array(of: video.span)),
        ])
    }
  }

  private static func array(of span: VideoSpan) throws -> NDArray {
    let bytes = [span.start, span.duration].flatMap { number in
      withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) }
    }
    return try NDArray(shape: [2], type: .float64, bytes: bytes)
  }

  /// Where a video lies in time, as it was found when a file of its features was made.
  ///
  /// - Parameter file: see ``file(of:network:)``.
  /// - Returns: nil where the file does not say.
  public static func span(file: String) -> VideoSpan? {
    guard let array = try? NPZ.read(path: file, name: "span"), array.shape == [2],
      array.type == .float64
    else { return nil }
    let numbers = array.bytes.withUnsafeBytes { bytes in
      [0, 8].map {
        Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self)))
      }
    }
    guard numbers.allSatisfy(\.isFinite) else { return nil }
    return VideoSpan(start: numbers[0], duration: numbers[1])
  }

  /// Lists the failures of all processes that write to the folder, or removes the list of an
  /// earlier run where there were none.
  /// - Parameters:
  ///   - isFirst: whether this is the process that writes the list.
  ///   - gather: every process's bytes; all call it.
  /// - Returns: how many videos failed.
  @discardableResult
  public func finish(
    isFirst: Bool = true, gather: ([UInt8]) throws -> [[UInt8]] = { [$0] }
  ) throws -> Int {
    let own = failureList.encodedBytes(style: .python)
    failures = try gather(own).flatMap { bytes in
      let list = try JSON.parse(String(decoding: bytes, as: UTF8.self)).object
      return list?.map { (path: $0.key, reason: $0.value.string ?? "") } ?? []
    }
    guard isFirst else { return failures.count }
    if !failures.isEmpty {
      try writeFailures()
    } else if FileManager.default.fileExists(atPath: failuresFile), unlink(failuresFile) != 0 {
      throw DataError.system("remove", file: failuresFile)
    }
    return failures.count
  }

  private var failureList: JSON {
    .object(JSONObject(failures.map { (key: $0.path, value: JSON.string($0.reason)) }))
  }

  private func writeFailures() throws {
    try AtomicFile.write(failureList.encodedBytes(style: .python), to: failuresFile)
  }
}
