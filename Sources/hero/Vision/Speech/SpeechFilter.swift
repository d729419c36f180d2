import CFFmpeg
import Formats

/// A filter that converts sound for speech recognizers: FFmpeg mixes it to mono and resamples it.
final class SpeechFilter {
  private let path: String
  private var graph: UnsafeMutablePointer<AVFilterGraph>?
  private var source: UnsafeMutablePointer<AVFilterContext>?
  private var sink: UnsafeMutablePointer<AVFilterContext>?
  private var output: UnsafeMutablePointer<AVFrame>?
  private let options: String

  /// - Parameters:
  ///   - frame: one of the coming frames, for their format.
  ///   - path: the file's path, for messages.
  init(like frame: UnsafeMutablePointer<AVFrame>, path: String) throws {
    self.path = path
    options = Self.options(of: frame)
    graph = avfilter_graph_alloc()
    output = av_frame_alloc()
    guard let graph, output != nil else { throw DataError("out of memory", file: path) }
    let filters = [
      ("abuffer", options),
      ("aformat", "sample_fmts=s16:sample_rates=\(VideoSound.rate):channel_layouts=mono"),
      ("abuffersink", ""),
    ]
    var last: UnsafeMutablePointer<AVFilterContext>?
    for (name, options) in filters {
      var made: UnsafeMutablePointer<AVFilterContext>?
      try FFmpeg.check(
        avfilter_graph_create_filter(&made, avfilter_get_by_name(name), name, options, nil, graph),
        "make the filter \(name)", file: path)
      if let last { try FFmpeg.check(avfilter_link(last, 0, made, 0), "join filters", file: path) }
      if source == nil { source = made }
      last = made
    }
    sink = last
    try FFmpeg.check(avfilter_graph_config(graph, nil), "prepare the filters of the sound", file: path)
  }

  deinit {
    avfilter_graph_free(&graph)
    av_frame_free(&output)
  }

  private static func options(of frame: UnsafeMutablePointer<AVFrame>) -> String {
    var channels = [CChar](repeating: 0, count: 128)
    let rate = frame.sample_rate
    let layout = String(cString: hero_av_channels(frame, &channels, channels.count))
    return "time_base=1/\(rate):sample_rate=\(rate):sample_fmt=\(frame.format):\(layout)"
  }

  /// Returns whether the filters fit this frame; a stream may change its format.
  func accepts(_ frame: UnsafeMutablePointer<AVFrame>) -> Bool { Self.options(of: frame) == options }

  /// Adds a frame, which the caller keeps; nil ends the input.
  func push(_ frame: UnsafeMutablePointer<AVFrame>?) throws {
    try FFmpeg.check(
      av_buffersrc_add_frame_flags(source, frame, Int32(AV_BUFFERSRC_FLAG_KEEP_REF)), "filter the sound",
      file: path)
  }

  /// Returns the samples that are ready, 16 bits each.
  ///
  /// It is empty if the filters need more input, and at the end.
  func pull() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let output {
      av_frame_unref(output)
      let code = av_buffersink_get_frame(sink, output)
      if code == hero_av_error_again() || code == hero_av_error_end_of_file() { break }
      try FFmpeg.check(code, "filter the sound", file: path)
      bytes += UnsafeBufferPointer(start: output.data[0], count: 2 * Int(output.nb_samples))
    }
    return bytes
  }
}
