import CFFmpeg

/// What pictures come from: a video's file, or a folder with a file for each.
protocol PictureSource: AnyObject {
  var path: String { get }
  /// Pixels of a picture as it is shown.
  var width: Int { get }
  var height: Int { get }
  /// How pictures are turned to be shown.
  var rotation: DisplayRotation { get }
  /// The unit of the pictures' times, in seconds.
  var timeBase: AVRational { get }
  /// Pictures a second for the filters; 0 where unknown.
  var guessedRate: AVRational { get }
  /// Average pictures a second; nil if unknown.
  var frameRate: Double? { get }
  /// Seconds on the container's own clock at which it begins.
  var start: Double { get }
  /// Seconds; nil if unknown.
  var duration: Double? { get }

  /// The duration that decides how often a short video is sampled.
  func checkedDuration(from interval: FrameInterval) throws -> Double?
  /// - Throws: `DataError` if there is no decoder for its pictures.
  func decoder(threads: Int) throws -> any PictureDecoder
}

/// Pictures one after the other, as they were coded.
protocol PictureDecoder: AnyObject {
  /// The next picture, which stays as it is until the next call; nil at the end. Its `pts` is in
  /// the source's unit.
  func next() throws -> UnsafeMutablePointer<AVFrame>?
  /// What could not be read or decoded.
  var damages: Int { get }
  /// When the last picture ends, in the source's unit; no time where there was none.
  var end: Int64 { get }
}

extension VideoFile: PictureSource {
  var timeBase: AVRational { stream.time_base }
  var guessedRate: AVRational { av_guess_frame_rate(context, stream, nil) }
  func decoder(threads: Int) throws -> any PictureDecoder { try FrameDecoder(self, threads: threads) }
}

extension FrameDecoder: PictureDecoder {}
