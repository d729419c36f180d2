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

/// Loads FFmpeg's libraries at run time, of the versions that these headers describe. No function
/// of theirs may be called before.
///
/// The functions that hero uses are defined here by their own names and pass their calls on, so
/// that a machine without FFmpeg starts the program all the same. Returns NULL on success, else
/// what went wrong.
const char *hero_ffmpeg_load(void);

/// The Debian packages of those libraries, as apt-get takes them.
const char *hero_ffmpeg_packages(void);

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
/// its own headers say: FFmpeg 7 gives such a stream the 25 that its reader supposes.
AVRational hero_av_average_frame_rate(const AVFormatContext *context, const AVStream *stream);
/// How long a picture is shown, in the stream's unit; 0 if nobody says.
int64_t hero_av_duration(const AVFrame *frame);
/// The channels of a sound, as the filter "abuffer" takes them among its options, cut to `size`
/// bytes. Returns `text`.
const char *hero_av_channels(const AVFrame *frame, char *text, size_t size);

#endif
