import Formats
import Text

extension SubtitleFileList {
  /// Returns the frames per second of a subtitle file's video, or nil if they are unknown.
  public typealias FrameRate = (_ path: String, _ video: String) -> Double?

  /// Returns the sentences of each video, from the first of its files that has any.
  /// - Parameters:
  ///   - isKnown: returns whether a video of a name exists.
  ///   - encoding: the encoding of files that do not name theirs; guessed by default.
  ///   - frameRate: the frame rate of a subtitle file's video, for files that count frames.
  ///   - onSkip: takes a line for whatever is skipped.
  ///   - onNote: takes a line for whatever is used but odd.
  public func sentences(
    isKnown: (String) -> Bool, encoding: String? = nil, frameRate: FrameRate? = nil,
    onSkip: (String) -> Void, onNote: (String) -> Void
  ) -> [Name: [SpokenSentence]] {
    var result: [Name: [SpokenSentence]] = [:]
    for (video, paths) in byVideo(isKnown: isKnown) {
      guard isKnown(video) else {
        onSkip("\(paths[0]): there is no video \"\(video)\"")
        continue
      }
      do {
        let (path, cues) = try Self.firstWithText(
          of: paths, encoding: encoding, frameRate: frameRate.map { rate in { rate($0, video) } },
          onSkip: onSkip, onNote: onNote)
        for other in paths where other != path {
          onNote("\(other): the subtitles of \"\(video)\" are \(path)")
        }
        result[Name(video)] = cues.map {
          SpokenSentence(start: $0.start, end: $0.end, text: HTMLText.unescaped($0.text))
        }
      } catch {
        onSkip("\(error)")
      }
    }
    return result
  }

  /// Returns the first of a video's files with any speech, or else the first readable one.
  ///
  /// Reports files before it that cannot be read.
  static func firstWithText(
    of paths: [String], encoding: String?, frameRate: ((_ path: String) -> Double?)?,
    onSkip: (String) -> Void, onNote: (String) -> Void
  ) throws -> (path: String, cues: [SubtitleCue]) {
    var (first, failure): ((path: String, cues: [SubtitleCue])?, DataError?) = (nil, nil)
    for path in paths {
      do {
        let cues = try SubtitleFile.read(
          path: path, encoding: encoding, frameRate: { frameRate?(path) }, onProblem: onNote)
        if !cues.isEmpty { return (path, cues) }
        first = first ?? (path, cues)
      } catch let error as DataError {
        if paths.count > 1 { onSkip("\(error)") }
        failure = failure ?? error
      }
    }
    if let first { return first }
    throw failure ?? DataError("there is no file")
  }
}
