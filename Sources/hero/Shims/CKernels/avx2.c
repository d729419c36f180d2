#include "CKernels.h"
#include <math.h>
#include <string.h>

#define SET avx2
#define SET_NAME "avx2"
#define SET_FUSES

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2,popcnt"), min_vector_width(512))), apply_to = function)
#include "loops/all.h"
#pragma clang attribute pop
#endif
