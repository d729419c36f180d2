import Corpus
import Formats
import Metrics
import Synchronization
import Tasks

/// The stores and lists of a run, each opened once, however many of its tasks and splits read it.
public final class OpenedStores: Sendable {
  /// What was opened, of which path, and how.
  private struct Key: Hashable {
    let kind: ObjectIdentifier
    let path: Name
    let options: String
  }

  private let opened = Mutex<[Key: any Sendable]>([:])

  /// Nothing is opened yet.
  public init() {}

  /// What a path holds, which is opened where it has not been yet.
  /// - Parameter options: what else it depends on.
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

  /// A store of subtitles.
  public func subtitles(_ path: String) throws -> SubtitleStore {
    try once(path) { try SubtitleStore(path: path) }
  }

  /// A store of features.
  func features(
    _ path: String, featureVersion: String, frameLength: Double, compressed: Bool
  ) throws -> FeatureStore {
    try once(path, "\(featureVersion) \(frameLength) \(compressed)") {
      try FeatureStore(
        path: path, featureVersion: featureVersion, frameLength: frameLength, compressed: compressed)
    }
  }

  /// A store of queries, questions or statements.
  func texts<Store: AnnotationStore>(_ path: String) throws -> Store {
    try once(path) { try Store(path: path) }
  }

  /// A store of captions.
  func captions(_ path: String) throws -> CaptionStore { try once(path) { try CaptionStore(path: path) } }

  /// A file of clips with their captions.
  /// - Parameter skips: reports what cannot be read.
  func clips(_ path: String, skips: SkipReport) throws -> [CaptionRow] {
    try once(path) { try CaptionRow.read(path: path, skips: skips) }
  }

  /// A list of the ids of videos.
  func videoIDs(_ path: String) throws -> [String] {
    try once(path) { try PretrainingVideos.readIDs(path: path) }
  }

  /// Lets go of everything; what nobody else has takes no memory from here on.
  func forget() { opened.withLock { $0 = [:] } }
}
