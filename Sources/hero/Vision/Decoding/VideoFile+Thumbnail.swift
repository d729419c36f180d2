import CFFmpeg
import Formats

extension VideoFile {
  /// Returns the picture shown at `time` as a JPEG, upright.
  ///
  /// It moves the file's reading position: do not call it while features of this `VideoFile` are
  /// made.
  ///
  /// - Parameters:
  ///   - time: seconds from the beginning; a time beyond the end gives the last picture.
  ///   - width: pixels; the height keeps the aspect ratio.
  ///   - quality: 2 (best, large files) to 31.
  /// - Returns: the bytes of the JPEG file.
  ///
  /// Throws `DataError` if nothing can be decoded there.
  public func thumbnail(at time: Double, width: Int = 320, quality: Int = 4) throws -> [UInt8] {
    let decoder = try FrameDecoder(self, threads: 1)
    if time > 0 { decoder.seek(to: time) }
    let unit = stream.time_base.value ?? 0
    var shown: UnsafeMutablePointer<AVFrame>?
    defer { av_frame_free(&shown) }
    while let frame = try decoder.next() {
      let isLater = frame.pts != FFmpeg.noTime && Double(frame.pts) * unit > time + 1e-6
      if isLater, shown != nil { break }
      av_frame_free(&shown)
      shown = av_frame_clone(frame)
      if isLater { break }
    }
    guard let shown else { throw DataError("no picture can be decoded at \(time) s", file: path) }
    let columns = max(2, min(width, 4096)) / 2 * 2
    let rows = max(2, min(8192, (columns * height + self.width / 2) / self.width)) / 2 * 2
    let filter = try PictureFilter(
      self, like: shown,
      filters: [("scale", "\(columns):\(rows):out_range=full"), ("format", "pix_fmts=yuvj420p")])
    try filter.push(shown)
    try filter.finish(at: shown.pts)
    guard let picture = try filter.pull() else { throw DataError("no picture can be made", file: path) }
    return try jpeg(picture, quality: quality)
  }

  private func jpeg(_ picture: UnsafeMutablePointer<AVFrame>, quality: Int) throws -> [UInt8] {
    guard let encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG) else {
      throw DataError("the installed FFmpeg writes no JPEG", file: path)
    }
    var codec = avcodec_alloc_context3(encoder)
    var packet = av_packet_alloc()
    defer {
      avcodec_free_context(&codec)
      av_packet_free(&packet)
    }
    guard let codec, let packet else { throw DataError("out of memory", file: path) }
    codec.width = picture.width
    codec.height = picture.height
    codec.pix_fmt = AV_PIX_FMT_YUVJ420P
    codec.time_base = AVRational(num: 1, den: 25)
    codec.flags |= Int32(AV_CODEC_FLAG_QSCALE)
    codec.thread_count = 1
    let scale = Int32(FF_QP2LAMBDA) * Int32(min(max(quality, 2), 31))
    codec.global_quality = scale
    picture.quality = scale
    picture.pts = 0
    try FFmpeg.check(avcodec_open2(codec, encoder, nil), "open the JPEG encoder", file: path)
    try FFmpeg.check(avcodec_send_frame(codec, picture), "write a JPEG", file: path)
    avcodec_send_frame(codec, nil)
    try FFmpeg.check(avcodec_receive_packet(codec, packet), "write a JPEG", file: path)
    return Array(UnsafeBufferPointer(start: packet.data, count: Int(packet.size)))
  }
}
