import Formats
import Foundation

/// The options for making a feature store.
public struct VideoStoreOptions: Sendable {
  /// The place where the feature files are listed.
  public enum Source: Sendable {
    /// A folder with `<part>_features/…/<vid>.npz` for every part of the features.
    case folder(String)
    /// The reference's `video_feat_info.pkl`, {vid: (frames, slowfast path, resnet path, folder)}.
    case infoFile(String)

    var path: String {
      switch self {
      case .folder(let path), .infoFile(let path): path
      }
    }
  }

  /// A folder of feature files, or the reference's list of them.
  public var source: Source
  /// The folder of all feature stores, in which `dataset` names one.
  public var output: String
  /// The folder inside ``output``; empty to make the store in ``output`` itself.
  public var dataset: String
  /// The parts of a frame's features, in their order.
  public var features = ["resnet", "slowfast"]
  /// The number of seconds per frame, which the store's name holds.
  public var frameLength = 1.5
  /// The version of the features, which the store's name holds; nil for the names of the parts.
  public var featVersion: String?
  /// Whether values are compressed `.npz` archives instead of MessagePack.
  public var compress = false
  /// The compression of MessagePack values; the reference reads `none` only.
  public var compression = Compression.none
  /// The length in seconds of the pieces `<vid>.<k>` into which videos are cut; not positive for
  /// none.
  public var clipInterval = 0.0
  /// The number of threads that read and encode.
  public var threadCount = ProcessInfo.processInfo.activeProcessorCount

  /// - Parameters:
  ///   - output: the folder of all feature stores.
  ///   - dataset: the folder inside it.
  public init(source: Source, output: String, dataset: String) {
    self.source = source
    self.output = output
    self.dataset = dataset
  }

  /// The folder that holds the store, `id2nframe.json` and `corrupted.json`.
  public var datasetPath: String {
    let output = output.count > 1 && output.hasSuffix("/") ? String(output.dropLast()) : output
    return dataset.isEmpty ? output : "\(output)/\(dataset)"
  }

  /// The store's folder: `{feat_version}_{frame_length}`, then `_compressed` if the values are.
  ///
  /// The number is written as Python prints a float.
  public var storePath: String {
    "\(datasetPath)/\(version)_\(PythonNumber.repr(frameLength))\(compress ? "_compressed" : "")"
  }

  private var version: String { featVersion ?? features.joined(separator: "_") }

  /// The number of frames in a piece; nil if videos are not cut.
  var clipFrames: Int? {
    clipInterval > 0 ? Int(min(clipInterval / frameLength, 1e9)) : nil
  }

  func check() throws {
    guard frameLength.isFinite, frameLength > 0 else {
      throw DataError("the frame length is \(frameLength) s", cure: "Give a positive number of seconds")
    }
    guard clipInterval.isFinite, clipFrames.map({ $0 > 0 }) ?? true else {
      throw DataError(
        "a clip interval of \(clipInterval) s holds no frame of \(frameLength) s",
        cure: "Give a longer clip interval, such as 60")
    }
    guard threadCount > 0 else {
      throw DataError("\(threadCount) threads read nothing", cure: "Give 1 or more")
    }
    guard !(compress && compression != .none) else {
      throw DataError(
        "values cannot be compressed as npz and again", cure: "Give one kind of compression only")
    }
    guard !features.isEmpty, Set(features).count == features.count,
      features.allSatisfy({ !$0.isEmpty && !$0.contains("/") })
    else {
      throw DataError(
        "the features “\(features.joined(separator: ","))” are no list of names, each once",
        cure: "Name what is in the <name>_features folders, such as resnet,slowfast")
    }
    for (name, part) in [("dataset", dataset), ("feature version", version)] where part.hasPrefix("/") {
      throw DataError("the \(name) “\(part)” is a path", cure: "Give a name")
    }
  }
}
