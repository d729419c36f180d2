import Formats
import Foundation

/// The layout and content of feature files.
public struct FeatureForm: Sendable {
  /// The tool that reads the files.
  public enum Layout: String, Sendable, CaseIterable {
    /// `NETWORK_features/VIDEO.npz` with `features` and `span`, for `convert-videodb`.
    case hero
    /// moment_detr's and lighthouse's folders for QVHighlights: `clip_features`,
    /// `slowfast_features`.
    ///
    /// Their files hold `features` alone.
    case qvhighlights
  }

  /// The tool whose folders and keys the files follow.
  public var layout = Layout.hero
  /// Whether numbers are float16, else float32.
  public var isHalf = true
  /// Whether a video is a folder of pictures, and takes the folder's name.
  public var isOfFolders = false

  /// Creates the form of hero's layout in float16, one video a file.
  public init() {}

  /// Returns the name of a network's folder.
  func folder(of network: String) -> String {
    layout == .qvhighlights && network == CLIPFiles.transformer ? "clip_features" : "\(network)_features"
  }

  /// Returns a video's name.
  func name(of video: String) -> String {
    guard isOfFolders else { return FileEndings.stem(of: video) }
    func last(_ path: String) -> String {
      path.utf8.split(separator: UInt8(ascii: "/")).last.flatMap { String($0) } ?? ""
    }
    let name = last(video)
    guard ["", ".", ".."].contains(name), let resolved = realpath(video, nil) else { return name }
    defer { free(resolved) }
    return last(String(cString: resolved))
  }
}

/// The files that receive features, and the list of videos that failed.
///
/// They are either in a folder, named after their videos, or at paths that a list names one by one.
public final class FeatureFolder {
  /// The folder or list that says where features go, for messages.
  public let path: String
  /// The file that lists the videos that could not be read, with the reasons.
  public let failuresFile: String
  private let form: FeatureForm
  /// The feature file of each video, if a list names them.
  private let listed: [Name: String]?
  private var failures: [(path: String, reason: String)] = []

  /// Creates the folder, with one for each network; its `failed.json` lists failures.
  ///
  /// Throws `DataError` if that fails, or if there is a `failed.json` that is not a list of
  /// failures.
  public init(path: String, networks: [String], form: FeatureForm = FeatureForm()) throws {
    (self.path, self.form, listed) = (path, form, nil)
    failuresFile = "\(path)/failed.json"
    try Self.refuseOther(failuresFile)
    for network in networks { try OutputFolder.make("\(path)/\(form.folder(of: network))") }
  }

  /// - Parameters:
  ///   - files: the file of each video's features.
  ///   - list: the path of the list that names them; failures are listed beside it.
  ///
  /// Throws `DataError` if the failures' file exists and is not a list of failures.
  public init(files: [Name: String], list: String, form: FeatureForm = FeatureForm()) throws {
    (path, self.form, listed) = (list, form, files)
    let stem = list.hasSuffix(".csv") ? String(list.dropLast(4)) : list
    failuresFile = "\(stem)_failed.json"
    try Self.refuseOther(failuresFile)
  }

  private static func refuseOther(_ file: String) throws {
    guard FileManager.default.fileExists(atPath: file) else { return }
    let list = try? JSON.read(path: file).object
    guard let list, list.values.allSatisfy({ $0.string != nil }) else {
      throw DataError(
        "is in the way: it is no list of failures", file: file, cure: "Move it, or write elsewhere")
    }
  }

  /// Returns the path of a network's features of a video.
  public func file(of video: String, network: String) -> String {
    listed?[Name(video)] ?? "\(path)/\(form.folder(of: network))/\(form.name(of: video)).npz"
  }

  /// Returns a video's name: its file's name without the extension.
  public static func identifier(of video: String) -> String { FeatureForm().name(of: video) }

  /// The most bytes of a video's name: a file system takes 255 with the extension.
  static let longestName = 255 - ".npz".utf8.count

  /// Returns those of the networks that have no feature file for a video. Files are written
  /// atomically.
  public func missing(_ networks: [String], of video: String) -> Set<String> {
    Set(networks.filter { !FileManager.default.fileExists(atPath: file(of: video, network: $0)) })
  }

  /// Writes the features of a video, or records the reason why there are none.
  public func write(_ video: ExtractedVideo) throws {
    if let failure = video.failure {
      failures.append((video.path, "\(failure)"))
      try writeFailures()
    }
    for (network, features) in video.features {
      let file = file(of: video.path, network: network)
      if listed != nil { try OutputFolder.make((file as NSString).deletingLastPathComponent) }
      var arrays = [(name: "features", array: try features.array(isHalf: form.isHalf))]
      if form.layout == .hero { arrays.append((name: "span", array: try Self.array(of: video.span))) }
      try NPZ.write(path: file, arrays)
    }
  }

  private static func array(of span: VideoSpan) throws -> NDArray {
    let bytes = [span.start, span.duration].flatMap(\.bitPattern.littleEndianBytes)
    return try NDArray(shape: [2], type: .float64, bytes: bytes)
  }

  /// Reads the start and duration of a video from its feature file.
  ///
  /// - Parameter file: see ``file(of:network:)``.
  /// - Returns: nil if the file does not hold them.
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

  /// Writes the failures of all processes to the list, or removes an earlier list if there are
  /// none.
  ///
  /// - Parameters:
  ///   - isFirst: whether this process writes the list.
  ///   - gather: returns every process's bytes; all processes call it.
  /// - Returns: the number of videos that failed.
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
