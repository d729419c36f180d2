import Foundation
import Training

/// The folder beside an index in which `hero index --videos` keeps its intermediate files.
public struct IndexWork: Sendable {
  /// The folder's path: `INDEX.work`.
  public let path: String

  /// Creates the description of an index's folder.
  ///
  /// - Parameter index: the path of the index.
  public init(index: String) { path = "\(index).work" }

  /// The folder that holds the feature store, which may not exist.
  public var videoStores: String { "\(path)/video_db" }
  /// The path of the feature store, which may not exist.
  public var features: String { "\(videoStores)/own" }
  /// The path of the subtitle store, which may not exist.
  public var subtitles: String { "\(path)/subtitles.db" }

  /// Returns the options of a run that name the stores of an index's videos.
  ///
  /// Given stores come first, then those of this folder. Without either, the run's own stores are
  /// read.
  /// - Parameters:
  ///   - features: a feature store.
  ///   - subtitles: a subtitle store.
  public func arguments(features: String?, subtitles: String?) throws -> RunArguments {
    var arguments = RunArguments()
    for (option, given, own) in [
      (\RunOptions.videos, features, self.features), (\.subtitles, subtitles, self.subtitles),
    ] {
      let path = given ?? (FileManager.default.fileExists(atPath: own) ? own : nil)
      if let path { try arguments.set(option, path) }
    }
    return arguments
  }
}
