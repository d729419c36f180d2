import CFFmpeg
import Formats
import Foundation

/// How pictures are interpolated when they are scaled.
public enum Scaling: String, Sendable, CaseIterable {
  /// What FFmpeg's program does since version 5.
  case bicubic
  /// What it did before, when the reference's features were made.
  case bilinear
}

/// A chain of FFmpeg's filters: turned upright, a constant number of pictures a second, scaled,
/// cut, in red, green and blue.
///
/// The same filters with the same options as the reference's command lines, so that the same
/// pictures come out:
///
///     fps=R, scale=W:H [, crop=S:S:X:Y], format=rgb24
final class PictureFilter {
  private let file: any PictureSource
  private var graph: UnsafeMutablePointer<AVFilterGraph>?
  private var source: UnsafeMutablePointer<AVFilterContext>?
  private var sink: UnsafeMutablePointer<AVFilterContext>?
  private var output: UnsafeMutablePointer<AVFrame>?
  private let format: [Int32]

  /// - Parameters:
  ///   - frame: one of the pictures to come, for their size and kind.
  ///   - filters: names and options; what turns pictures upright comes before them.
  init(
    _ file: any PictureSource, like frame: UnsafeMutablePointer<AVFrame>,
    filters: [(name: String, options: String)]
  ) throws {
    self.file = file
    format = Self.format(of: frame)
    graph = avfilter_graph_alloc()
    output = av_frame_alloc()
    guard let graph, output != nil else { throw DataError("out of memory", file: file.path) }
    graph.nb_threads = 1
    let unit = file.timeBase
    let aspect = frame.sample_aspect_ratio
    var options =
      "video_size=\(frame.width)x\(frame.height):pix_fmt=\(frame.format)"
      + ":time_base=\(unit.num)/\(unit.den):pixel_aspect=\(aspect.num)/\(max(aspect.den, 1))"
    let rate = file.guessedRate
    if rate.num > 0, rate.den > 0 { options += ":frame_rate=\(rate.num)/\(rate.den)" }
    let first = try make("buffer", options, in: graph)
    source = first
    var last = first
    for filter in file.rotation.filters + filters {
      let next = try make(filter.name, filter.options, in: graph)
      try FFmpeg.check(avfilter_link(last, 0, next, 0), "join filters", file: file.path)
      last = next
    }
    let end = try make("buffersink", "", in: graph)
    try FFmpeg.check(avfilter_link(last, 0, end, 0), "join filters", file: file.path)
    sink = end
    try FFmpeg.check(avfilter_graph_config(graph, nil), "prepare the filters", file: file.path)
  }

  deinit {
    avfilter_graph_free(&graph)
    av_frame_free(&output)
  }

  private func make(
    _ name: String, _ options: String, in graph: UnsafeMutablePointer<AVFilterGraph>
  ) throws -> UnsafeMutablePointer<AVFilterContext> {
    var made: UnsafeMutablePointer<AVFilterContext>?
    try FFmpeg.check(
      avfilter_graph_create_filter(&made, avfilter_get_by_name(name), name, options, nil, graph),
      "make the filter \(name)", file: file.path)
    guard let made else { throw DataError("cannot make the filter \(name)", file: file.path) }
    return made
  }

  private static func format(of frame: UnsafeMutablePointer<AVFrame>) -> [Int32] {
    [frame.width, frame.height, frame.format]
  }

  /// Whether the filters were made for such pictures; a stream may change its pictures' size.
  func accepts(_ frame: UnsafeMutablePointer<AVFrame>) -> Bool { Self.format(of: frame) == format }

  /// Takes a picture, which stays the caller's.
  func push(_ frame: UnsafeMutablePointer<AVFrame>) throws {
    try FFmpeg.check(
      av_buffersrc_add_frame_flags(source, frame, Int32(AV_BUFFERSRC_FLAG_KEEP_REF)), "filter a picture",
      file: file.path)
  }

  /// No picture follows; the last one ends at `time`, in the stream's unit.
  func finish(at time: Int64) throws {
    try FFmpeg.check(av_buffersrc_close(source, time, 0), "end the filters", file: file.path)
  }

  /// The next picture that is done, valid until the next call; nil if more must be pushed, or at
  /// the end.
  func pull() throws -> UnsafeMutablePointer<AVFrame>? {
    guard let output else { return nil }
    av_frame_unref(output)
    let code = av_buffersink_get_frame(sink, output)
    if code == hero_av_error_again() || code == hero_av_error_end_of_file() { return nil }
    try FFmpeg.check(code, "filter a picture", file: file.path)
    return output
  }
}
