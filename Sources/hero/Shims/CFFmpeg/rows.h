// The offsets of the fields of fields.h in the FFmpeg whose headers are compiled with: HERO_AV_ROW.
#include <stddef.h>

#include "fields.h"

#define NOWHERE 0xFFFF
#define PLACE(name, structure, member) offsetof(structure, member),
#define NO_PLACE(name, structure, member) NOWHERE,
#if LIBAVCODEC_VERSION_MAJOR >= 61
#define HERO_AV_ROW HERO_AV_FIELDS(PLACE, NO_PLACE, PLACE, NO_PLACE, PLACE)
#elif LIBAVCODEC_VERSION_MAJOR >= 60
#define HERO_AV_ROW HERO_AV_FIELDS(PLACE, NO_PLACE, PLACE, PLACE, NO_PLACE)
#else
#define HERO_AV_ROW HERO_AV_FIELDS(PLACE, PLACE, NO_PLACE, PLACE, NO_PLACE)
#endif
