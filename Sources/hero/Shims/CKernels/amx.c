#include "CKernels.h"
#include <math.h>
#include <string.h>

#define SET amx
#define SET_NAME "amx"
#define SET_FEATURES "amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni,avx2,fma,bmi2,popcnt"
#define SET_FUSES
#define SET_WIDE
#define SET_BF16
#define SET_TILES

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target(SET_FEATURES), min_vector_width(512))), apply_to = function)
#include "loops/all.h"
#pragma clang attribute pop
#endif
