#ifndef HERO_FFMPEG_FIELDS_H
#define HERO_FFMPEG_FIELDS_H

/// The fields of FFmpeg's structures that hero reads and writes. Their offsets differ from one
/// major version to the next; layouts.h has them all.
///
/// A row is FIELD(name, structure, member). Some fields exist only until FFmpeg 5 or 6, or from 6
/// or 7 on.
#define HERO_AV_FIELDS(FIELD, UNTIL_5, FROM_6, UNTIL_6, FROM_7) \
  FIELD(DICTIONARY_ENTRY_VALUE, AVDictionaryEntry, value) \
  FIELD(PACKET_PTS, AVPacket, pts) \
  FIELD(PACKET_DTS, AVPacket, dts) \
  FIELD(PACKET_DATA, AVPacket, data) \
  FIELD(PACKET_SIZE, AVPacket, size) \
  FIELD(PACKET_STREAM_INDEX, AVPacket, stream_index) \
  FIELD(PACKET_FLAGS, AVPacket, flags) \
  FIELD(PACKET_SIDE_DATA, AVPacket, side_data) \
  FIELD(PACKET_SIDE_DATA_COUNT, AVPacket, side_data_elems) \
  FIELD(PACKET_DURATION, AVPacket, duration) \
  FIELD(PACKET_POS, AVPacket, pos) \
  FIELD(FRAME_DATA, AVFrame, data) \
  FIELD(FRAME_LINESIZE, AVFrame, linesize) \
  FIELD(FRAME_WIDTH, AVFrame, width) \
  FIELD(FRAME_HEIGHT, AVFrame, height) \
  FIELD(FRAME_SAMPLES, AVFrame, nb_samples) \
  FIELD(FRAME_FORMAT, AVFrame, format) \
  FIELD(FRAME_ASPECT, AVFrame, sample_aspect_ratio) \
  FIELD(FRAME_PTS, AVFrame, pts) \
  FIELD(FRAME_QUALITY, AVFrame, quality) \
  FIELD(FRAME_SAMPLE_RATE, AVFrame, sample_rate) \
  FIELD(FRAME_BEST_TIME, AVFrame, best_effort_timestamp) \
  FIELD(FRAME_LAYOUT, AVFrame, ch_layout) \
  UNTIL_5(FRAME_PACKET_DURATION, AVFrame, pkt_duration) \
  FROM_6(FRAME_DURATION, AVFrame, duration) \
  FIELD(STREAM_INDEX, AVStream, index) \
  FIELD(STREAM_PARAMETERS, AVStream, codecpar) \
  FIELD(STREAM_TIME_BASE, AVStream, time_base) \
  FIELD(STREAM_DURATION, AVStream, duration) \
  FIELD(STREAM_DISPOSITION, AVStream, disposition) \
  FIELD(STREAM_DISCARD, AVStream, discard) \
  FIELD(STREAM_ASPECT, AVStream, sample_aspect_ratio) \
  FIELD(STREAM_METADATA, AVStream, metadata) \
  FIELD(STREAM_AVERAGE_RATE, AVStream, avg_frame_rate) \
  FIELD(STREAM_RATE, AVStream, r_frame_rate) \
  FIELD(STREAM_EVENTS, AVStream, event_flags) \
  UNTIL_6(STREAM_SIDE_DATA, AVStream, side_data) \
  UNTIL_6(STREAM_SIDE_DATA_COUNT, AVStream, nb_side_data) \
  FIELD(PARAMETERS_TYPE, AVCodecParameters, codec_type) \
  FIELD(PARAMETERS_CODEC, AVCodecParameters, codec_id) \
  FIELD(PARAMETERS_TAG, AVCodecParameters, codec_tag) \
  FIELD(PARAMETERS_WIDTH, AVCodecParameters, width) \
  FIELD(PARAMETERS_HEIGHT, AVCodecParameters, height) \
  FIELD(PARAMETERS_DELAY, AVCodecParameters, video_delay) \
  FIELD(PARAMETERS_SAMPLE_RATE, AVCodecParameters, sample_rate) \
  FROM_7(PARAMETERS_SIDE_DATA, AVCodecParameters, coded_side_data) \
  FROM_7(PARAMETERS_SIDE_DATA_COUNT, AVCodecParameters, nb_coded_side_data) \
  FIELD(DESCRIPTOR_PROPERTIES, AVCodecDescriptor, props) \
  FIELD(CODEC_FLAGS, AVCodecContext, flags) \
  FIELD(CODEC_QUALITY, AVCodecContext, global_quality) \
  FIELD(CODEC_TIME_BASE, AVCodecContext, time_base) \
  FIELD(CODEC_PACKET_TIME_BASE, AVCodecContext, pkt_timebase) \
  FIELD(CODEC_RATE, AVCodecContext, framerate) \
  FIELD(CODEC_WIDTH, AVCodecContext, width) \
  FIELD(CODEC_HEIGHT, AVCodecContext, height) \
  FIELD(CODEC_PIXELS, AVCodecContext, pix_fmt) \
  FIELD(CODEC_GROUP, AVCodecContext, gop_size) \
  FIELD(CODEC_THREADS, AVCodecContext, thread_count) \
  FIELD(CODEC_MOST_PIXELS, AVCodecContext, max_pixels) \
  FIELD(INPUT_FORMAT_NAME, AVInputFormat, name) \
  FIELD(INPUT_FORMAT_FLAGS, AVInputFormat, flags) \
  FIELD(CONTAINER_INPUT_FORMAT, AVFormatContext, iformat) \
  FIELD(CONTAINER_FILE, AVFormatContext, pb) \
  FIELD(CONTAINER_STREAM_COUNT, AVFormatContext, nb_streams) \
  FIELD(CONTAINER_STREAMS, AVFormatContext, streams) \
  FIELD(CONTAINER_START, AVFormatContext, start_time) \
  FIELD(CONTAINER_DURATION, AVFormatContext, duration) \
  FIELD(CONTAINER_ESTIMATION, AVFormatContext, duration_estimation_method) \
  FIELD(GRAPH_THREADS, AVFilterGraph, nb_threads) \
  FIELD(SUBTITLE_START, AVSubtitle, start_display_time) \
  FIELD(SUBTITLE_END, AVSubtitle, end_display_time) \
  FIELD(SUBTITLE_COUNT, AVSubtitle, num_rects) \
  FIELD(SUBTITLE_RECTANGLES, AVSubtitle, rects) \
  FIELD(RECTANGLE_TEXT, AVSubtitleRect, text) \
  FIELD(RECTANGLE_ASS, AVSubtitleRect, ass)

/// The numbers of FFmpeg's that hero is compiled with. They must be the same in every version that
/// it opens.
#define HERO_AV_NUMBERS(NUMBER) \
  NUMBER(AVDISCARD_ALL) \
  NUMBER(AVDISCARD_DEFAULT) \
  NUMBER(AVFMT_DURATION_FROM_BITRATE) \
  NUMBER(AVFMT_NOTIMESTAMPS) \
  NUMBER(AVFMT_TS_DISCONT) \
  NUMBER(AVIO_FLAG_WRITE) \
  NUMBER(AVMEDIA_TYPE_AUDIO) \
  NUMBER(AVMEDIA_TYPE_SUBTITLE) \
  NUMBER(AVMEDIA_TYPE_VIDEO) \
  NUMBER(AVSTREAM_EVENT_FLAG_NEW_PACKETS) \
  NUMBER(AV_BUFFERSRC_FLAG_KEEP_REF) \
  NUMBER(AV_CHANNEL_ORDER_NATIVE) \
  NUMBER(AV_CODEC_FLAG_GLOBAL_HEADER) \
  NUMBER(AV_CODEC_FLAG_QSCALE) \
  NUMBER(AV_CODEC_ID_H264) \
  NUMBER(AV_CODEC_ID_MJPEG) \
  NUMBER(AV_CODEC_ID_PNG) \
  NUMBER(AV_CODEC_PROP_TEXT_SUB) \
  NUMBER(AV_DISPOSITION_ATTACHED_PIC) \
  NUMBER(AV_DISPOSITION_COMMENT) \
  NUMBER(AV_DISPOSITION_DEFAULT) \
  NUMBER(AV_DISPOSITION_FORCED) \
  NUMBER(AV_DISPOSITION_HEARING_IMPAIRED) \
  NUMBER(AV_LOG_QUIET) \
  NUMBER(AV_PIX_FMT_YUV420P) \
  NUMBER(AV_PIX_FMT_YUVJ420P) \
  NUMBER(AV_PKT_DATA_DISPLAYMATRIX) \
  NUMBER(AV_PKT_DATA_ENCRYPTION_INFO) \
  NUMBER(AV_PKT_FLAG_KEY) \
  NUMBER(FF_COMPLIANCE_NORMAL) \
  NUMBER(sizeof(AVPacketSideData)) \
  NUMBER(sizeof(AVSubtitle)) \
  NUMBER(sizeof(AVChannelLayout)) \
  NUMBER(offsetof(AVPacketSideData, size)) \
  NUMBER(offsetof(AVPacketSideData, type)) \
  NUMBER(offsetof(AVChannelLayout, nb_channels)) \
  NUMBER(offsetof(AVChannelLayout, u))

#endif
