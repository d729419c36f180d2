import CFFmpeg

// These accessors read FFmpeg's structures, under FFmpeg's own names, by the layout of the loaded
// version. `pointee` would use the layout of the headers that hero is compiled with.

private func place<Value>(
  _ structure: UnsafeRawPointer, _ field: hero_av_field
) -> UnsafeMutablePointer<Value> {
  guard let place = hero_av_place(structure, field) else { preconditionFailure("no version is without it") }
  return place.assumingMemoryBound(to: Value.self)
}

extension UnsafeMutablePointer<AVDictionaryEntry> {
  var value: UnsafeMutablePointer<CChar> { place(self, HERO_AV_DICTIONARY_ENTRY_VALUE).pointee }
}

extension UnsafeMutablePointer<AVPacket> {
  var pts: Int64 {
    get { place(self, HERO_AV_PACKET_PTS).pointee }
    nonmutating set { place(self, HERO_AV_PACKET_PTS).pointee = newValue }
  }
  var dts: Int64 {
    get { place(self, HERO_AV_PACKET_DTS).pointee }
    nonmutating set { place(self, HERO_AV_PACKET_DTS).pointee = newValue }
  }
  var data: UnsafeMutablePointer<UInt8>? { place(self, HERO_AV_PACKET_DATA).pointee }
  var size: Int32 { place(self, HERO_AV_PACKET_SIZE).pointee }
  var stream_index: Int32 {
    get { place(self, HERO_AV_PACKET_STREAM_INDEX).pointee }
    nonmutating set { place(self, HERO_AV_PACKET_STREAM_INDEX).pointee = newValue }
  }
  var flags: Int32 {
    get { place(self, HERO_AV_PACKET_FLAGS).pointee }
    nonmutating set { place(self, HERO_AV_PACKET_FLAGS).pointee = newValue }
  }
  var side_data: UnsafeMutablePointer<AVPacketSideData>? { place(self, HERO_AV_PACKET_SIDE_DATA).pointee }
  var side_data_elems: Int32 { place(self, HERO_AV_PACKET_SIDE_DATA_COUNT).pointee }
  var duration: Int64 {
    get { place(self, HERO_AV_PACKET_DURATION).pointee }
    nonmutating set { place(self, HERO_AV_PACKET_DURATION).pointee = newValue }
  }
  var pos: Int64 {
    get { place(self, HERO_AV_PACKET_POS).pointee }
    nonmutating set { place(self, HERO_AV_PACKET_POS).pointee = newValue }
  }
}

extension UnsafeMutablePointer<AVFrame> {
  var data: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?> { place(self, HERO_AV_FRAME_DATA) }
  var linesize: UnsafeMutablePointer<Int32> { place(self, HERO_AV_FRAME_LINESIZE) }
  var width: Int32 {
    get { place(self, HERO_AV_FRAME_WIDTH).pointee }
    nonmutating set { place(self, HERO_AV_FRAME_WIDTH).pointee = newValue }
  }
  var height: Int32 {
    get { place(self, HERO_AV_FRAME_HEIGHT).pointee }
    nonmutating set { place(self, HERO_AV_FRAME_HEIGHT).pointee = newValue }
  }
  var nb_samples: Int32 { place(self, HERO_AV_FRAME_SAMPLES).pointee }
  var format: Int32 {
    get { place(self, HERO_AV_FRAME_FORMAT).pointee }
    nonmutating set { place(self, HERO_AV_FRAME_FORMAT).pointee = newValue }
  }
  var sample_aspect_ratio: AVRational { place(self, HERO_AV_FRAME_ASPECT).pointee }
  var pts: Int64 {
    get { place(self, HERO_AV_FRAME_PTS).pointee }
    nonmutating set { place(self, HERO_AV_FRAME_PTS).pointee = newValue }
  }
  var quality: Int32 {
    get { place(self, HERO_AV_FRAME_QUALITY).pointee }
    nonmutating set { place(self, HERO_AV_FRAME_QUALITY).pointee = newValue }
  }
  var sample_rate: Int32 { place(self, HERO_AV_FRAME_SAMPLE_RATE).pointee }
  var best_effort_timestamp: Int64 { place(self, HERO_AV_FRAME_BEST_TIME).pointee }
}

extension UnsafeMutablePointer<AVStream> {
  var index: Int32 { place(self, HERO_AV_STREAM_INDEX).pointee }
  var codecpar: UnsafeMutablePointer<AVCodecParameters> { place(self, HERO_AV_STREAM_PARAMETERS).pointee }
  var time_base: AVRational {
    get { place(self, HERO_AV_STREAM_TIME_BASE).pointee }
    nonmutating set { place(self, HERO_AV_STREAM_TIME_BASE).pointee = newValue }
  }
  var duration: Int64 { place(self, HERO_AV_STREAM_DURATION).pointee }
  var disposition: Int32 {
    get { place(self, HERO_AV_STREAM_DISPOSITION).pointee }
    nonmutating set { place(self, HERO_AV_STREAM_DISPOSITION).pointee = newValue }
  }
  var discard: AVDiscard {
    get { place(self, HERO_AV_STREAM_DISCARD).pointee }
    nonmutating set { place(self, HERO_AV_STREAM_DISCARD).pointee = newValue }
  }
  var sample_aspect_ratio: AVRational {
    get { place(self, HERO_AV_STREAM_ASPECT).pointee }
    nonmutating set { place(self, HERO_AV_STREAM_ASPECT).pointee = newValue }
  }
  var metadata: OpaquePointer? { place(self, HERO_AV_STREAM_METADATA).pointee }
  var avg_frame_rate: AVRational {
    get { place(self, HERO_AV_STREAM_AVERAGE_RATE).pointee }
    nonmutating set { place(self, HERO_AV_STREAM_AVERAGE_RATE).pointee = newValue }
  }
  var r_frame_rate: AVRational { place(self, HERO_AV_STREAM_RATE).pointee }
  var event_flags: Int32 { place(self, HERO_AV_STREAM_EVENTS).pointee }
}

extension UnsafeMutablePointer<AVCodecParameters> {
  var codec_type: AVMediaType { place(self, HERO_AV_PARAMETERS_TYPE).pointee }
  var codec_id: AVCodecID { place(self, HERO_AV_PARAMETERS_CODEC).pointee }
  var codec_tag: UInt32 {
    get { place(self, HERO_AV_PARAMETERS_TAG).pointee }
    nonmutating set { place(self, HERO_AV_PARAMETERS_TAG).pointee = newValue }
  }
  var width: Int32 { place(self, HERO_AV_PARAMETERS_WIDTH).pointee }
  var height: Int32 { place(self, HERO_AV_PARAMETERS_HEIGHT).pointee }
  var video_delay: Int32 { place(self, HERO_AV_PARAMETERS_DELAY).pointee }
  var sample_rate: Int32 { place(self, HERO_AV_PARAMETERS_SAMPLE_RATE).pointee }
}

extension UnsafePointer<AVCodecDescriptor> {
  var props: Int32 { place(self, HERO_AV_DESCRIPTOR_PROPERTIES).pointee }
}

extension UnsafeMutablePointer<AVCodecContext> {
  var flags: Int32 {
    get { place(self, HERO_AV_CODEC_FLAGS).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_FLAGS).pointee = newValue }
  }
  var global_quality: Int32 {
    get { place(self, HERO_AV_CODEC_QUALITY).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_QUALITY).pointee = newValue }
  }
  var time_base: AVRational {
    get { place(self, HERO_AV_CODEC_TIME_BASE).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_TIME_BASE).pointee = newValue }
  }
  var pkt_timebase: AVRational {
    get { place(self, HERO_AV_CODEC_PACKET_TIME_BASE).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_PACKET_TIME_BASE).pointee = newValue }
  }
  var framerate: AVRational {
    get { place(self, HERO_AV_CODEC_RATE).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_RATE).pointee = newValue }
  }
  var width: Int32 {
    get { place(self, HERO_AV_CODEC_WIDTH).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_WIDTH).pointee = newValue }
  }
  var height: Int32 {
    get { place(self, HERO_AV_CODEC_HEIGHT).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_HEIGHT).pointee = newValue }
  }
  var pix_fmt: AVPixelFormat {
    get { place(self, HERO_AV_CODEC_PIXELS).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_PIXELS).pointee = newValue }
  }
  var gop_size: Int32 {
    get { place(self, HERO_AV_CODEC_GROUP).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_GROUP).pointee = newValue }
  }
  var thread_count: Int32 {
    get { place(self, HERO_AV_CODEC_THREADS).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_THREADS).pointee = newValue }
  }
  var max_pixels: Int64 {
    get { place(self, HERO_AV_CODEC_MOST_PIXELS).pointee }
    nonmutating set { place(self, HERO_AV_CODEC_MOST_PIXELS).pointee = newValue }
  }
}

extension UnsafePointer<AVInputFormat> {
  var name: UnsafePointer<CChar>? { place(self, HERO_AV_INPUT_FORMAT_NAME).pointee }
  var flags: Int32 { place(self, HERO_AV_INPUT_FORMAT_FLAGS).pointee }
}

extension UnsafeMutablePointer<AVFormatContext> {
  var iformat: UnsafePointer<AVInputFormat> { place(self, HERO_AV_CONTAINER_INPUT_FORMAT).pointee }
  var pb: UnsafeMutablePointer<AVIOContext>? {
    get { place(self, HERO_AV_CONTAINER_FILE).pointee }
    nonmutating set { place(self, HERO_AV_CONTAINER_FILE).pointee = newValue }
  }
  var nb_streams: UInt32 { place(self, HERO_AV_CONTAINER_STREAM_COUNT).pointee }
  var streams: UnsafeMutablePointer<UnsafeMutablePointer<AVStream>?> {
    place(self, HERO_AV_CONTAINER_STREAMS).pointee
  }
  var start_time: Int64 { place(self, HERO_AV_CONTAINER_START).pointee }
  var duration: Int64 { place(self, HERO_AV_CONTAINER_DURATION).pointee }
  var duration_estimation_method: AVDurationEstimationMethod {
    place(self, HERO_AV_CONTAINER_ESTIMATION).pointee
  }
}

extension UnsafeMutablePointer<AVFilterGraph> {
  var nb_threads: Int32 {
    get { place(self, HERO_AV_GRAPH_THREADS).pointee }
    nonmutating set { place(self, HERO_AV_GRAPH_THREADS).pointee = newValue }
  }
}

extension UnsafeMutablePointer<AVSubtitle> {
  var start_display_time: UInt32 { place(self, HERO_AV_SUBTITLE_START).pointee }
  var end_display_time: UInt32 { place(self, HERO_AV_SUBTITLE_END).pointee }
  var num_rects: UInt32 { place(self, HERO_AV_SUBTITLE_COUNT).pointee }
  var rects: UnsafeMutablePointer<UnsafeMutablePointer<AVSubtitleRect>?> {
    place(self, HERO_AV_SUBTITLE_RECTANGLES).pointee
  }
}

extension UnsafeMutablePointer<AVSubtitleRect> {
  var text: UnsafeMutablePointer<CChar>? { place(self, HERO_AV_RECTANGLE_TEXT).pointee }
  var ass: UnsafeMutablePointer<CChar>? { place(self, HERO_AV_RECTANGLE_ASS).pointee }
}
