#ifndef HERO_FFMPEG_H
#define HERO_FFMPEG_H

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/error.h>
#include <libavutil/mathematics.h>
#include <libavutil/pixdesc.h>
#include <stdbool.h>

#include "fields.h"

/// Loads FFmpeg's libraries at run time, the newest of the versions that hero knows: 5 to 9. No
/// function of theirs may be called before.
///
/// The functions that hero uses are defined here by their own names and pass their calls on, so
/// that a machine without FFmpeg starts the program all the same. Returns NULL on success, else
/// what went wrong.
const char *hero_ffmpeg_load(void);

/// The version of the loaded libraries, as FFmpeg writes it: "7.1.5-0+deb13u1".
const char *hero_ffmpeg_version(void);

#define HERO_AV_NAME(name, structure, member) HERO_AV_##name,
/// A field of one of FFmpeg's structures.
typedef enum {
  HERO_AV_FIELDS(HERO_AV_NAME, HERO_AV_NAME, HERO_AV_NAME, HERO_AV_NAME, HERO_AV_NAME) HERO_AV_FIELD_COUNT
} hero_av_field;

/// Where a field of a structure lies in the loaded version: the headers that hero is compiled with
/// may be another's. NULL where that version has no such field.
void *hero_av_place(const void *structure, hero_av_field field);

/// Whether hero knows the layout of the FFmpeg whose headers it is compiled with, for a test.
bool hero_ffmpeg_knows_headers(void);

/// What FFmpeg's macros say, which Swift does not see.
int hero_av_error_end_of_file(void);
int hero_av_error_again(void);
int hero_av_error_invalid_data(void);
int hero_av_error_invalid_argument(void);
int64_t hero_av_no_timestamp(void);
/// Microseconds, the unit of a container's own times.
AVRational hero_av_microseconds(void);

/// The nine numbers by which a stream's pictures are turned to be shown; NULL if there are none.
const int32_t *hero_av_display_matrix(const AVStream *stream);
/// Whether a container that FFmpeg writes, "mp4" or "matroska", holds a codec.
bool hero_av_container_holds(const char *container, enum AVCodecID codec);
/// Copies the nine numbers to a stream whose parameters were copied; where these have them already,
/// nothing is left to do. Less than 0 where memory is short.
int hero_av_copy_display_matrix(AVStream *to, const AVStream *from);
/// A stream's average pictures a second; 0/0 if unknown. Of a raw stream, which has no times, what
/// its own headers say: since FFmpeg 6 its average is the 25 that its reader supposes.
AVRational hero_av_average_frame_rate(AVFormatContext *container, AVStream *stream);
/// How long a picture is shown, in the stream's unit; 0 if nobody says.
int64_t hero_av_duration(const AVFrame *frame);
/// The channels of a sound, as the filter "abuffer" takes them among its options, cut to `size`
/// bytes. Returns `text`.
const char *hero_av_channels(const AVFrame *frame, char *text, size_t size);

#endif
