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

/// Loads FFmpeg's libraries at run time, the newest of the versions that hero knows: 5 to 9. It
/// must be called before any function of theirs.
///
/// This library defines the functions that hero uses by their own names and passes the calls on, so
/// that the program starts even on a machine without FFmpeg. Returns NULL on success, else what
/// went wrong.
const char *hero_ffmpeg_load(void);

/// Returns the version of the loaded libraries, as FFmpeg writes it: "7.1.5-0+deb13u1".
const char *hero_ffmpeg_version(void);

#define HERO_AV_NAME(name, structure, member) HERO_AV_##name,
/// A field of one of FFmpeg's structures.
typedef enum {
  HERO_AV_FIELDS(HERO_AV_NAME, HERO_AV_NAME, HERO_AV_NAME, HERO_AV_NAME, HERO_AV_NAME) HERO_AV_FIELD_COUNT
} hero_av_field;

/// Returns where a field of a structure lies in the loaded version, which may differ from the
/// headers that hero is compiled with. NULL if that version has no such field.
void *hero_av_place(const void *structure, hero_av_field field);

/// Returns whether hero knows the layout of the FFmpeg whose headers it is compiled with, for a
/// test.
bool hero_ffmpeg_knows_headers(void);

/// The values of FFmpeg's macros, which Swift does not see.
int hero_av_error_end_of_file(void);
int hero_av_error_again(void);
int hero_av_error_invalid_data(void);
int hero_av_error_invalid_argument(void);
int64_t hero_av_no_timestamp(void);
/// Microseconds, the unit of a container's own times.
AVRational hero_av_microseconds(void);

/// Returns the matrix of nine numbers that turns a stream's pictures for display; NULL if it has
/// none.
const int32_t *hero_av_display_matrix(const AVStream *stream);
/// Returns whether a container that FFmpeg writes, "mp4" or "matroska", holds a codec.
bool hero_av_container_holds(const char *container, enum AVCodecID codec);
/// Copies the display matrix to a stream whose parameters were copied; does nothing if these hold
/// it. Returns less than 0 on failure.
int hero_av_copy_display_matrix(AVStream *to, const AVStream *from);
/// Returns a stream's average pictures a second; 0/0 if unknown. A raw stream has no times, so its
/// own headers count: since FFmpeg 6 its average is the 25 that its reader supposes.
AVRational hero_av_average_frame_rate(AVFormatContext *container, AVStream *stream);
/// Returns how long a picture is shown, in the stream's unit; 0 if unknown.
int64_t hero_av_duration(const AVFrame *frame);
/// Writes the channels of a sound, as an option of the filter "abuffer", cut to `size` bytes.
/// Returns `text`.
const char *hero_av_channels(const AVFrame *frame, char *text, size_t size);

#endif
