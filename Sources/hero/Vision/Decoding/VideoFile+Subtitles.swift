import CFFmpeg
import Formats
import Foundation

/// One subtitle track of a video file.
public struct SubtitleTrack: Sendable {
  /// The language as the container names it, such as `eng`; nil if it names none.
  public let language: String?
  /// FFmpeg's name of the subtitle format, such as `subrip`.
  public let codec: String
  /// The cues in the order of their start times.
  public let cues: [SubtitleCue]
  /// Whether the track covers only part of the speech: signs and foreign words (forced), or a
  /// commentary. The container says so.
  public let isPartial: Bool
  /// Whether the track describes noises too, for the hard of hearing.
  public let hasNoises: Bool
  /// The number of cues that show signs; ``cues`` does not contain them.
  public let signs: Int

  /// Returns the track to search by, nil if no track has text.
  ///
  /// It prefers full tracks to forced ones, then English, then tracks without noises. Of equal
  /// tracks it takes the first.
  public static func preferred(of tracks: [SubtitleTrack]) -> SubtitleTrack? {
    func rank(_ track: SubtitleTrack) -> (Int, Int, Int) {
      (track.isPartial ? 1 : 0, track.language?.hasPrefix("en") == true ? 0 : 1, track.hasNoises ? 1 : 0)
    }
    return tracks.filter { !$0.cues.isEmpty }.min { rank($0) < rank($1) }
  }
}

extension VideoFile {
  /// Reads every text subtitle stream of the file at `path` as plain text (SubRip, ASS, WebVTT,
  /// mov_text …).
  ///
  /// It skips bitmap subtitles, such as those of DVDs. It reads the whole file, which may lack
  /// moving pictures. Throws `DataError` if the file cannot be opened.
  public static func subtitles(of path: String) throws -> [SubtitleTrack] {
    try FFmpeg.load()
    var context: UnsafeMutablePointer<AVFormatContext>? = try open(path)
    defer { avformat_close_input(&context) }
    guard let context else { return [] }
    var readers: [Int: SubtitleReader] = [:]
    for number in 0..<Int(context.nb_streams) {
      guard let stream = context.streams[number] else { continue }
      readers[number] = SubtitleReader(stream, start: context.start_time)
      if readers[number] == nil { stream.discard = AVDISCARD_ALL }
    }
    guard !readers.isEmpty else { return [] }
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    while let packet, av_read_frame(context, packet) >= 0 {
      readers[Int(packet.stream_index)]?.read(packet)
      av_packet_unref(packet)
    }
    return readers.sorted { $0.key < $1.key }.map { $0.value.track }
  }
}

/// A decoder of one subtitle stream.
private final class SubtitleReader {
  private let stream: UnsafeMutablePointer<AVStream>
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private let unit: Double
  /// The time at which the file begins, in seconds.
  private let start: Double
  private var cues: [(cue: SubtitleCue, place: AdvancedSubStation.TextPlace)] = []

  /// The duration of a cue that has none, in seconds.
  private static let usualLength = 3.0
  /// The duration below which a cue counts as having none, in seconds. MP4 gives cues that begin
  /// together one tick each.
  private static let shortest = 0.01

  /// Returns nil if the stream is not text, or FFmpeg has no decoder for it.
  init?(_ stream: UnsafeMutablePointer<AVStream>, start: Int64) {
    let parameters = stream.codecpar
    guard parameters.codec_type == AVMEDIA_TYPE_SUBTITLE,
      let descriptor = avcodec_descriptor_get(parameters.codec_id),
      descriptor.props & Int32(AV_CODEC_PROP_TEXT_SUB) != 0,
      let decoder = avcodec_find_decoder(parameters.codec_id)
    else { return nil }
    self.stream = stream
    unit = stream.time_base.value ?? 0
    self.start = start == FFmpeg.noTime ? 0 : Double(start) / 1e6
    codec = avcodec_alloc_context3(decoder)
    guard let codec, avcodec_parameters_to_context(codec, stream.codecpar) >= 0 else { return nil }
    codec.pkt_timebase = stream.time_base
    guard avcodec_open2(codec, decoder, nil) >= 0 else { return nil }
  }

  deinit { avcodec_free_context(&codec) }

  func read(_ packet: UnsafeMutablePointer<AVPacket>) {
    let subtitle = UnsafeMutablePointer<AVSubtitle>.allocate(capacity: 1)
    subtitle.initialize(to: AVSubtitle())
    defer { subtitle.deallocate() }
    var got: Int32 = 0
    guard avcodec_decode_subtitle2(codec, subtitle, &got, packet) >= 0, got != 0 else { return }
    defer { avsubtitle_free(subtitle) }
    guard packet.pts != FFmpeg.noTime else { return }
    let shown = Double(packet.pts) * unit - start
    let from = shown + Double(subtitle.start_display_time) / 1000
    var end = shown + Double(max(packet.duration, 0)) * unit
    if end < from + Self.shortest, subtitle.end_display_time != .max {
      end = shown + Double(subtitle.end_display_time) / 1000
    }
    if end < from + Self.shortest { end = from + Self.usualLength }
    var lines: [String] = []
    var place = AdvancedSubStation.TextPlace.usual
    for number in 0..<Int(subtitle.num_rects) {
      guard let rectangle = subtitle.rects[number] else { continue }
      if let text = rectangle.ass {
        let fields = String(cString: text).split(
          separator: ",", maxSplits: 8, omittingEmptySubsequences: false)
        // `ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text`
        lines += fields.count == 9 ? AdvancedSubStation.lines(of: fields[8]) : fields.map(String.init)
        if fields.count == 9, place == .usual {
          place = AdvancedSubStation.place(of: fields[8], style: fields[2])
        }
      } else if let text = rectangle.text {
        lines.append(String(cString: text))
      }
    }
    let text = lines.joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
    guard !text.isEmpty else { return }
    lines = text.split(whereSeparator: \.isNewline).map(String.init)
    cues.append((SubtitleCue(start: from, end: end, lines: lines), place))
  }

  var track: SubtitleTrack {
    func note(_ key: String) -> String? {
      av_dict_get(stream.metadata, key, nil, 0).map { String(cString: $0.value) }
    }
    let words = Set((note("title") ?? "").lowercased().split { !$0.isLetter }.map(String.init))
    let disposition = stream.disposition
    let language = note("language")?.lowercased()
    let said = AdvancedSubStation.said(of: cues) { ($0.start, $0.end) }
    return SubtitleTrack(
      language: language, codec: String(cString: avcodec_get_name(stream.codecpar.codec_id)),
      cues: said.enumerated().sorted { ($0.element.start, $0.offset) < ($1.element.start, $1.offset) }
        .map(\.element),
      isPartial: disposition & (AV_DISPOSITION_FORCED | AV_DISPOSITION_COMMENT) != 0
        || !words.isDisjoint(with: ["forced", "signs", "songs", "commentary"]),
      hasNoises: disposition & AV_DISPOSITION_HEARING_IMPAIRED != 0
        || !words.isDisjoint(with: ["sdh", "cc"]),
      signs: cues.count - said.count)
  }
}
