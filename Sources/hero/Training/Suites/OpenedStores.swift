import Corpus
import Formats
import Metrics
import Synchronization
import Tasks

/// The stores and lists of a run, each opened once, however many tasks and splits read it.
public final class OpenedStores: Sendable {
  /// The kind of an opened value, its path, and the options that it was opened with.
  private struct Key: Hashable {
    let kind: ObjectIdentifier
    let path: Name
    let options: String
  }

  private let opened = Mutex<[Key: any Sendable]>([:])

  /// Makes a collection in which nothing is open.
  public init() {}

  /// Returns what a path holds, and opens it only if it is not open.
  /// - Parameter options: what else the value depends on.
  func once<Value: Sendable>(
    _ path: String, _ options: String = "", _ open: () throws -> Value
  ) rethrows -> Value {
    let key = Key(
      kind: ObjectIdentifier(Value.self), path: Name(String(Dataset.trimmed(path))), options: options)
    if let known = opened.withLock({ $0[key] }) as? Value { return known }
    let value = try open()
    opened.withLock { $0[key] = value }
    return value
  }

  /// Returns a store of subtitles.
  public func subtitles(_ path: String) throws -> SubtitleStore {
    try once(path) { try SubtitleStore(path: path) }
  }

  /// Returns a store of features.
  func features(
    _ path: String, featureVersion: String, frameLength: Double, compressed: Bool
  ) throws -> FeatureStore {
    try once(path, "\(featureVersion) \(frameLength) \(compressed)") {
      try FeatureStore(
        path: path, featureVersion: featureVersion, frameLength: frameLength, compressed: compressed)
    }
  }

  /// Returns a store of queries, questions or statements.
  func texts<Store: AnnotationStore>(_ path: String) throws -> Store {
    try once(path) { try Store(path: path) }
  }

  /// Returns a store of captions.
  func captions(_ path: String) throws -> CaptionStore { try once(path) { try CaptionStore(path: path) } }

  /// Returns the clips of a file with their captions.
  /// - Parameter skips: reports what cannot be read.
  func clips(_ path: String, skips: SkipReport) throws -> [CaptionRow] {
    try once(path) { try CaptionRow.read(path: path, skips: skips) }
  }

  /// Returns a list of the ids of videos.
  func videoIDs(_ path: String) throws -> [String] {
    try once(path) { try PretrainingVideos.readIDs(path: path) }
  }

  /// Releases everything; what nobody else holds then takes no memory.
  func forget() { opened.withLock { $0 = [:] } }
}
