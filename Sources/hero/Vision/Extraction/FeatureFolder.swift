import Formats
import Foundation

/// How files of features are laid out, and what is in them.
public struct FeatureForm: Sendable {
  /// Whose readers the files are for.
  public enum Layout: String, Sendable, CaseIterable {
    /// `NETWORK_features/VIDEO.npz` with `features` and `span`, as `convert-videodb` reads it.
    case hero
    /// As moment_detr and lighthouse read QVHighlights: `clip_features`, `slowfast_features`, of
    /// which each file has `features` alone.
    case qvhighlights
  }

  /// Which tool's folders and keys the files follow.
  public var layout = Layout.hero
  /// Whether numbers are float16, else float32.
  public var isHalf = true
  /// Whether a video is a folder of pictures, and called what the folder is.
  public var isOfFolders = false

  /// hero's layout in float16, one video a file.
  public init() {}

  /// A network's folder.
  func folder(of network: String) -> String {
    layout == .qvhighlights && network == CLIPFiles.transformer ? "clip_features" : "\(network)_features"
  }

  /// What a video is called.
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

/// The files that features are written to, and the list of what could not be read.
///
/// Either a folder, in which a file's place follows from its video's name, or files that a list
/// names one by one.
public final class FeatureFolder {
  /// Where features go, for messages.
  public let path: String
  /// A list of the videos that could not be read, with the reasons.
  public let failuresFile: String
  private let form: FeatureForm
  /// The file of each video, where a list names it.
  private let listed: [Name: String]?
  private var failures: [(path: String, reason: String)] = []

  /// Makes the folder, with one for each network; `failed.json` in it lists failures.
  ///
  /// Throws `DataError` if it cannot, and where a `failed.json` is there that no list of failures
  /// is.
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
  /// Throws `DataError` where something else has the name of the list of failures.
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

  /// Where a network's features of a video are.
  public func file(of video: String, network: String) -> String {
    listed?[Name(video)] ?? "\(path)/\(form.folder(of: network))/\(form.name(of: video)).npz"
  }

  /// What a video is called: its file's name without the ending.
  public static func identifier(of video: String) -> String { FeatureForm().name(of: video) }

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

  /// Where a video lies in time, as stored with its features.
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
