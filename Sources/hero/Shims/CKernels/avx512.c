#include "CKernels.h"
#include <math.h>
#include <string.h>

#define SET avx512
#define SET_NAME "avx512"
#define SET_FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2,popcnt"
#define SET_FUSES
#define SET_WIDE

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target(SET_FEATURES), min_vector_width(512))), apply_to = function)
#include "loops/all.h"
#pragma clang attribute pop
#endif
