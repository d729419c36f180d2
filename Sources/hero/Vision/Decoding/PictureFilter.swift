import CFFmpeg
import Formats
import Foundation

/// The interpolation with which pictures are scaled.
public enum Scaling: String, Sendable, CaseIterable {
  /// The default of FFmpeg's program since version 5.
  case bicubic
  /// The default before version 5, with which the reference's features were made.
  case bilinear
}

/// A chain of FFmpeg filters: rotation, a constant picture rate, scaling, cropping and RGB.
///
/// The filters and options are those of the reference's command lines, so the pictures are the
/// same:
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
  ///   - frame: one of the coming pictures, for their size and pixel format.
  ///   - filters: names and options; the filters of the rotation come before them.
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

  /// Returns whether the filters fit this picture; a stream may change its pictures' size.
  func accepts(_ frame: UnsafeMutablePointer<AVFrame>) -> Bool { Self.format(of: frame) == format }

  /// Adds a picture, which the caller keeps.
  func push(_ frame: UnsafeMutablePointer<AVFrame>) throws {
    try FFmpeg.check(
      av_buffersrc_add_frame_flags(source, frame, Int32(AV_BUFFERSRC_FLAG_KEEP_REF)), "filter a picture",
      file: file.path)
  }

  /// Ends the input; the last picture ends at `time`, in the stream's unit.
  func finish(at time: Int64) throws {
    try FFmpeg.check(av_buffersrc_close(source, time, 0), "end the filters", file: file.path)
  }

  /// Returns the next filtered picture, valid until the next call.
  ///
  /// It is nil if the chain needs more input, and at the end.
  func pull() throws -> UnsafeMutablePointer<AVFrame>? {
    guard let output else { return nil }
    av_frame_unref(output)
    let code = av_buffersink_get_frame(sink, output)
    if code == hero_av_error_again() || code == hero_av_error_end_of_file() { return nil }
    try FFmpeg.check(code, "filter a picture", file: file.path)
    return output
  }
}
