#include "CFFmpeg.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rows.h"

/// Defines a function of FFmpeg's under its own name, which calls the loaded one. It is hidden, so
/// that the libraries themselves never see it.
#define FORWARD(result, name, parameters, arguments)                     \
  static __typeof__(name) *loaded_##name;                                \
  __attribute__((visibility("hidden"))) result name parameters {         \
    return loaded_##name arguments;                                      \
  }

FORWARD(int, avformat_open_input,
        (AVFormatContext **context, const char *url, const AVInputFormat *format, AVDictionary **options),
        (context, url, format, options))
FORWARD(int, avformat_find_stream_info, (AVFormatContext *context, AVDictionary **options), (context, options))
FORWARD(void, avformat_close_input, (AVFormatContext **context), (context))
FORWARD(int, avformat_seek_file,
        (AVFormatContext *context, int stream, int64_t least, int64_t wanted, int64_t most, int flags),
        (context, stream, least, wanted, most, flags))
FORWARD(int, av_read_frame, (AVFormatContext *context, AVPacket *packet), (context, packet))
FORWARD(AVRational, av_guess_frame_rate, (AVFormatContext *context, AVStream *stream, AVFrame *frame),
        (context, stream, frame))
FORWARD(int, avformat_alloc_output_context2,
        (AVFormatContext **context, const AVOutputFormat *format, const char *name, const char *url),
        (context, format, name, url))
FORWARD(AVStream *, avformat_new_stream, (AVFormatContext *context, const AVCodec *codec), (context, codec))
FORWARD(int, avformat_write_header, (AVFormatContext *context, AVDictionary **options), (context, options))
FORWARD(int, av_interleaved_write_frame, (AVFormatContext *context, AVPacket *packet), (context, packet))
FORWARD(int, av_write_trailer, (AVFormatContext *context), (context))
FORWARD(const AVOutputFormat *, av_guess_format, (const char *name, const char *file, const char *type),
        (name, file, type))
FORWARD(int, avformat_query_codec, (const AVOutputFormat *format, enum AVCodecID codec, int strictness),
        (format, codec, strictness))
FORWARD(void *, av_memdup, (const void *data, size_t size), (data, size))
FORWARD(void, av_free, (void *data), (data))
// Until FFmpeg 6; from 7 on, the parameters hold this data instead of the streams.
static int (*loaded_av_stream_add_side_data)(
    AVStream *stream, enum AVPacketSideDataType type, uint8_t *data, size_t size);
FORWARD(void, avformat_free_context, (AVFormatContext *context), (context))
FORWARD(int, avio_open, (AVIOContext **file, const char *url, int flags), (file, url, flags))
FORWARD(int, avio_closep, (AVIOContext **file), (file))

FORWARD(const AVCodec *, avcodec_find_decoder, (enum AVCodecID id), (id))
FORWARD(const AVCodec *, avcodec_find_encoder, (enum AVCodecID id), (id))
FORWARD(int, avcodec_parameters_from_context, (AVCodecParameters *parameters, const AVCodecContext *context),
        (parameters, context))
FORWARD(int, avcodec_parameters_copy, (AVCodecParameters *to, const AVCodecParameters *from), (to, from))
FORWARD(void, av_packet_rescale_ts, (AVPacket *packet, AVRational from, AVRational to), (packet, from, to))
FORWARD(const AVCodecDescriptor *, avcodec_descriptor_get, (enum AVCodecID id), (id))
FORWARD(const char *, avcodec_get_name, (enum AVCodecID id), (id))
FORWARD(AVCodecContext *, avcodec_alloc_context3, (const AVCodec *codec), (codec))
FORWARD(void, avcodec_free_context, (AVCodecContext **context), (context))
FORWARD(int, avcodec_parameters_to_context, (AVCodecContext *context, const AVCodecParameters *parameters),
        (context, parameters))
FORWARD(int, avcodec_open2, (AVCodecContext *context, const AVCodec *codec, AVDictionary **options),
        (context, codec, options))
FORWARD(int, avcodec_send_packet, (AVCodecContext *context, const AVPacket *packet), (context, packet))
FORWARD(int, avcodec_receive_frame, (AVCodecContext *context, AVFrame *frame), (context, frame))
FORWARD(int, avcodec_send_frame, (AVCodecContext *context, const AVFrame *frame), (context, frame))
FORWARD(int, avcodec_receive_packet, (AVCodecContext *context, AVPacket *packet), (context, packet))
#if LIBAVCODEC_VERSION_MAJOR < 60  // From FFmpeg 6 on the packet is constant.
#define SUBTITLE_PACKET AVPacket
#else
#define SUBTITLE_PACKET const AVPacket
#endif
FORWARD(int, avcodec_decode_subtitle2,
        (AVCodecContext *context, AVSubtitle *subtitle, int *got, SUBTITLE_PACKET *packet),
        (context, subtitle, got, packet))
FORWARD(void, avsubtitle_free, (AVSubtitle *subtitle), (subtitle))
FORWARD(AVPacket *, av_packet_alloc, (void), ())
FORWARD(int, av_new_packet, (AVPacket *packet, int size), (packet, size))
FORWARD(void, av_packet_free, (AVPacket **packet), (packet))
FORWARD(void, av_packet_unref, (AVPacket *packet), (packet))

FORWARD(const AVFilter *, avfilter_get_by_name, (const char *name), (name))
FORWARD(AVFilterGraph *, avfilter_graph_alloc, (void), ())
FORWARD(void, avfilter_graph_free, (AVFilterGraph **graph), (graph))
FORWARD(int, avfilter_graph_create_filter,
        (AVFilterContext **context, const AVFilter *filter, const char *name, const char *options, void *opaque,
         AVFilterGraph *graph),
        (context, filter, name, options, opaque, graph))
FORWARD(int, avfilter_link, (AVFilterContext *source, unsigned from, AVFilterContext *sink, unsigned to),
        (source, from, sink, to))
FORWARD(int, avfilter_graph_config, (AVFilterGraph *graph, void *log), (graph, log))
FORWARD(int, av_buffersrc_add_frame_flags, (AVFilterContext *source, AVFrame *frame, int flags),
        (source, frame, flags))
FORWARD(int, av_buffersrc_close, (AVFilterContext *source, int64_t time, unsigned flags), (source, time, flags))
FORWARD(int, av_buffersink_get_frame, (AVFilterContext *sink, AVFrame *frame), (sink, frame))
FORWARD(AVRational, av_buffersink_get_time_base, (const AVFilterContext *sink), (sink))

FORWARD(AVFrame *, av_frame_alloc, (void), ())
FORWARD(void, av_frame_free, (AVFrame **frame), (frame))
FORWARD(int, av_frame_get_buffer, (AVFrame *frame, int alignment), (frame, alignment))
FORWARD(int, av_frame_make_writable, (AVFrame *frame), (frame))
FORWARD(AVFrame *, av_frame_clone, (const AVFrame *frame), (frame))
FORWARD(void, av_frame_unref, (AVFrame *frame), (frame))
FORWARD(int, av_channel_layout_describe, (const AVChannelLayout *layout, char *text, size_t size),
        (layout, text, size))
FORWARD(const char *, av_version_info, (void), ())
FORWARD(int, av_strerror, (int code, char *text, size_t size), (code, text, size))
FORWARD(void, av_log_set_level, (int level), (level))
FORWARD(int64_t, av_rescale_q, (int64_t value, AVRational from, AVRational to), (value, from, to))
FORWARD(double, av_display_rotation_get, (const int32_t matrix[9]), (matrix))
FORWARD(int, av_dict_set, (AVDictionary **dictionary, const char *key, const char *value, int flags),
        (dictionary, key, value, flags))
FORWARD(AVDictionaryEntry *, av_dict_get,
        (const AVDictionary *dictionary, const char *key, const AVDictionaryEntry *previous, int flags),
        (dictionary, key, previous, flags))
FORWARD(void, av_dict_free, (AVDictionary **dictionary), (dictionary))

enum { FORMAT, CODEC, FILTER, UTIL, LIBRARIES };

static const char *const names[LIBRARIES] = {
    [FORMAT] = "libavformat.so", [CODEC] = "libavcodec.so", [FILTER] = "libavfilter.so", [UTIL] = "libavutil.so"};

static const struct layout {
  int versions[LIBRARIES];
  unsigned short fields[HERO_AV_FIELD_COUNT];
} layouts[] = {
#include "layouts.h"
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

// The layout by the headers here, some of whose fields are deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static const unsigned short own_row[] = {HERO_AV_ROW};
#pragma GCC diagnostic pop

/// The layout of the loaded libraries.
static const struct layout *layout;

static const struct {
  int library;
  const char *name;
  void **place;
} functions[] = {
#define FIND(library, name) {library, #name, (void **)&loaded_##name}
    FIND(FORMAT, avformat_open_input),
    FIND(FORMAT, avformat_find_stream_info),
    FIND(FORMAT, avformat_close_input),
    FIND(FORMAT, avformat_seek_file),
    FIND(FORMAT, av_read_frame),
    FIND(FORMAT, av_guess_frame_rate),
    FIND(FORMAT, avformat_alloc_output_context2),
    FIND(FORMAT, avformat_new_stream),
    FIND(FORMAT, avformat_write_header),
    FIND(FORMAT, av_interleaved_write_frame),
    FIND(FORMAT, av_write_trailer),
    FIND(FORMAT, avformat_free_context),
    FIND(FORMAT, avio_open),
    FIND(FORMAT, avio_closep),
    FIND(CODEC, avcodec_find_decoder),
    FIND(CODEC, avcodec_parameters_from_context),
    FIND(CODEC, avcodec_parameters_copy),
    FIND(CODEC, av_packet_rescale_ts),
    FIND(FORMAT, av_guess_format),
    FIND(FORMAT, avformat_query_codec),
    FIND(UTIL, av_memdup),
    FIND(UTIL, av_free),
    FIND(CODEC, avcodec_find_encoder),
    FIND(CODEC, avcodec_descriptor_get),
    FIND(CODEC, avcodec_get_name),
    FIND(CODEC, avcodec_alloc_context3),
    FIND(CODEC, avcodec_free_context),
    FIND(CODEC, avcodec_parameters_to_context),
    FIND(CODEC, avcodec_open2),
    FIND(CODEC, avcodec_send_packet),
    FIND(CODEC, avcodec_receive_frame),
    FIND(CODEC, avcodec_send_frame),
    FIND(CODEC, avcodec_receive_packet),
    FIND(CODEC, avcodec_decode_subtitle2),
    FIND(CODEC, avsubtitle_free),
    FIND(CODEC, av_packet_alloc),
    FIND(CODEC, av_new_packet),
    FIND(CODEC, av_packet_free),
    FIND(CODEC, av_packet_unref),
    FIND(FILTER, avfilter_get_by_name),
    FIND(FILTER, avfilter_graph_alloc),
    FIND(FILTER, avfilter_graph_free),
    FIND(FILTER, avfilter_graph_create_filter),
    FIND(FILTER, avfilter_link),
    FIND(FILTER, avfilter_graph_config),
    FIND(FILTER, av_buffersrc_add_frame_flags),
    FIND(FILTER, av_buffersrc_close),
    FIND(FILTER, av_buffersink_get_frame),
    FIND(FILTER, av_buffersink_get_time_base),
    FIND(UTIL, av_frame_alloc),
    FIND(UTIL, av_frame_free),
    FIND(UTIL, av_frame_get_buffer),
    FIND(UTIL, av_frame_make_writable),
    FIND(UTIL, av_frame_clone),
    FIND(UTIL, av_frame_unref),
    FIND(UTIL, av_channel_layout_describe),
    FIND(UTIL, av_version_info),
    FIND(UTIL, av_strerror),
    FIND(UTIL, av_log_set_level),
    FIND(UTIL, av_rescale_q),
    FIND(UTIL, av_display_rotation_get),
    FIND(UTIL, av_dict_set),
    FIND(UTIL, av_dict_get),
    FIND(UTIL, av_dict_free),
};

static char problem[512];

/// Opens all libraries of a version, or none.
static bool open_version(const struct layout *version, void *handles[LIBRARIES]) {
  for (int i = 0; i < LIBRARIES; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s.%d", names[i], version->versions[i]);
    handles[i] = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handles[i]) continue;
    const char *reason = dlerror();
    // Only a version that is partly there has a reason to report.
    if (i > 0) snprintf(problem, sizeof problem, "%s", reason ? reason : name);
    while (i-- > 0) dlclose(handles[i]);
    return false;
  }
  return true;
}

static void load(void) {
  snprintf(problem, sizeof problem, "no %s.%d to .%d", names[0], layouts[0].versions[0], layouts[LAYOUTS - 1].versions[0]);
  void *handles[LIBRARIES];
  for (int i = LAYOUTS; i-- > 0 && !layout;)
    if (open_version(&layouts[i], handles)) layout = &layouts[i];
  if (!layout) return;
  problem[0] = 0;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    *functions[i].place = dlsym(handles[functions[i].library], functions[i].name);
    if (!*functions[i].place) {
      const int library = functions[i].library;
      snprintf(problem, sizeof problem, "%s.%d has no %s", names[library], layout->versions[library], functions[i].name);
      return;
    }
  }
  *(void **)&loaded_av_stream_add_side_data = dlsym(handles[FORMAT], "av_stream_add_side_data");
  // FFmpeg stays quiet: hero itself reports a damaged file, once.
  av_log_set_level(AV_LOG_QUIET);
}

const char *hero_ffmpeg_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return problem[0] ? problem : NULL;
}

const char *hero_ffmpeg_version(void) { return av_version_info(); }

void *hero_av_place(const void *structure, hero_av_field field) {
  const unsigned short place = layout->fields[field];
  return place == NOWHERE ? NULL : (char *)structure + place;
}

bool hero_ffmpeg_knows_headers(void) {
  for (int i = 0; i < LAYOUTS; i++)
    if (layouts[i].versions[FORMAT] == LIBAVFORMAT_VERSION_MAJOR)
      return memcmp(layouts[i].fields, own_row, sizeof own_row) == 0;
  return false;
}

int hero_av_error_end_of_file(void) { return AVERROR_EOF; }
int hero_av_error_again(void) { return AVERROR(EAGAIN); }
int hero_av_error_invalid_data(void) { return AVERROR_INVALIDDATA; }
int hero_av_error_invalid_argument(void) { return AVERROR(EINVAL); }
int64_t hero_av_no_timestamp(void) { return AV_NOPTS_VALUE; }
AVRational hero_av_microseconds(void) { return AV_TIME_BASE_Q; }

// The place of the data and of their count depends on the version.

static const int32_t *matrix_in(const AVPacketSideData *data, int count) {
  for (int i = 0; i < count; i++)
    if (data[i].type == AV_PKT_DATA_DISPLAYMATRIX && data[i].size >= 9 * sizeof(int32_t))
      return (const int32_t *)data[i].data;
  return NULL;
}

#define FIELD(type, structure, name) ((type *)hero_av_place(structure, HERO_AV_##name))

const int32_t *hero_av_display_matrix(const AVStream *stream) {
  AVPacketSideData *const *data = FIELD(AVPacketSideData *, stream, STREAM_SIDE_DATA);
  if (data) return matrix_in(*data, *FIELD(int, stream, STREAM_SIDE_DATA_COUNT));
  const AVCodecParameters *parameters = *FIELD(AVCodecParameters *, stream, STREAM_PARAMETERS);
  return matrix_in(*FIELD(AVPacketSideData *, parameters, PARAMETERS_SIDE_DATA),
                   *FIELD(int, parameters, PARAMETERS_SIDE_DATA_COUNT));
}

bool hero_av_container_holds(const char *container, enum AVCodecID codec) {
  const AVOutputFormat *format = av_guess_format(container, NULL, NULL);
  return format && avformat_query_codec(format, codec, FF_COMPLIANCE_NORMAL) == 1;
}

int hero_av_copy_display_matrix(AVStream *to, const AVStream *from) {
  // Parameters that hold the matrix were copied with it.
  if (!hero_av_place(from, HERO_AV_STREAM_SIDE_DATA)) return 0;
  const int32_t *matrix = hero_av_display_matrix(from);
  if (!matrix) return 0;
  if (!loaded_av_stream_add_side_data) return AVERROR(ENOSYS);
  uint8_t *copy = av_memdup(matrix, 9 * sizeof(int32_t));
  if (!copy) return AVERROR(ENOMEM);
  const int code = loaded_av_stream_add_side_data(to, AV_PKT_DATA_DISPLAYMATRIX, copy, 9 * sizeof(int32_t));
  if (code < 0) av_free(copy);
  return code;
}

AVRational hero_av_average_frame_rate(AVFormatContext *container, AVStream *stream) {
  const AVInputFormat *format = *FIELD(AVInputFormat *, container, CONTAINER_INPUT_FORMAT);
  const bool is_raw = format && *FIELD(int, format, INPUT_FORMAT_FLAGS) & AVFMT_NOTIMESTAMPS;
  const AVRational average = *FIELD(AVRational, stream, STREAM_AVERAGE_RATE);
  if (!is_raw || layout->versions[FORMAT] < 60) return average;
  const AVRational guess = av_guess_frame_rate(container, stream, NULL);
  return guess.num > 0 && guess.den > 0 ? guess : average;
}

int64_t hero_av_duration(const AVFrame *frame) {
  const int64_t *duration = FIELD(int64_t, frame, FRAME_DURATION);
  return duration ? *duration : *FIELD(int64_t, frame, FRAME_PACKET_DURATION);
}

const char *hero_av_channels(const AVFrame *frame, char *text, size_t size) {
  const AVChannelLayout *layout = FIELD(AVChannelLayout, frame, FRAME_LAYOUT);
  char name[64];
  const int length = av_channel_layout_describe(layout, name, sizeof name);
  // Layouts whose channels have no known places ("2 channels"), and those with places of their own,
  // go by their number.
  if (length > 0 && (size_t)length <= sizeof name && !strpbrk(name, " @:|()"))
    snprintf(text, size, "channel_layout=%s", name);
  else if (layout->order == AV_CHANNEL_ORDER_NATIVE)
    snprintf(text, size, "channel_layout=0x%" PRIx64, layout->u.mask);
  else
    snprintf(text, size, "channels=%d", layout->nb_channels);
  return text;
}
