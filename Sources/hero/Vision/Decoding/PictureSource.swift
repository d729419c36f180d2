import CFFmpeg

/// A source of pictures: a video file, or a folder with one file for each picture.
protocol PictureSource: AnyObject {
  var path: String { get }
  /// The width of a picture as it is shown, in pixels.
  var width: Int { get }
  var height: Int { get }
  /// The rotation that the pictures need for display.
  var rotation: DisplayRotation { get }
  /// The unit of the pictures' times, in seconds.
  var timeBase: AVRational { get }
  /// The rate that the filters are told, in pictures a second; 0 if unknown.
  var guessedRate: AVRational { get }
  /// The average number of pictures a second; nil if unknown.
  var frameRate: Double? { get }
  /// The time of the beginning on the container's own clock, in seconds.
  var start: Double { get }
  /// The duration in seconds; nil if unknown.
  var duration: Double? { get }

  /// Returns the duration that decides how often a short video is sampled.
  func checkedDuration(from interval: FrameInterval) throws -> Double?
  /// Creates a decoder.
  ///
  /// - Throws: `DataError` if FFmpeg has no decoder for the pictures.
  func decoder(threads: Int) throws -> any PictureDecoder
}

/// A decoder of a source's pictures, one after the other, without scaling or rotation.
protocol PictureDecoder: AnyObject {
  /// Returns the next picture, or nil at the end.
  ///
  /// The picture is valid until the next call. Its `pts` is in the source's unit.
  func next() throws -> UnsafeMutablePointer<AVFrame>?
  /// The number of packets and pictures that could not be read or decoded.
  var damages: Int { get }
  /// The time at which the last picture ends, in the source's unit; `FFmpeg.noTime` if there was
  /// none.
  var end: Int64 { get }
}

extension VideoFile: PictureSource {
  var timeBase: AVRational { stream.time_base }
  var guessedRate: AVRational { av_guess_frame_rate(context, stream, nil) }
  func decoder(threads: Int) throws -> any PictureDecoder { try FrameDecoder(self, threads: threads) }
}

extension FrameDecoder: PictureDecoder {}
