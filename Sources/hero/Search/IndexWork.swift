import Foundation
import Training

/// The folder beside an index in which `hero index --videos` keeps what it makes on the way.
public struct IndexWork: Sendable {
  /// `INDEX.work`.
  public let path: String

  /// - Parameter index: the index.
  public init(index: String) { path = "\(index).work" }

  /// The folder of the feature store, if it is there.
  public var videoStores: String { "\(path)/video_db" }
  /// Where the feature store lies, if it is there.
  public var features: String { "\(videoStores)/own" }
  /// Where the subtitle store lies, if it is there.
  public var subtitles: String { "\(path)/subtitles.db" }

  /// The options of a run that name the stores of an index's videos: the given ones, else this
  /// folder's, else none, so that the run's own are read.
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
