#include <math.h>
#include <string.h>

#include "TileEmulation.h"
#include "tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbusd
#endif
#define _tile_loadconfig(shapes) tile_configure(shapes)
#define _tile_release() tile_release()
#define _tile_zero(tile) tile_zero(tile)
#define _tile_loadd(tile, from, stride) tile_load(tile, from, (long)(stride))
#define _tile_stored(tile, to, stride) tile_store(tile, to, (long)(stride))
#define _tile_dpbf16ps(sums, left, right) tile_dot_bf16(sums, left, right)
#define _tile_dpbusd(sums, left, right) tile_dot_bytes(sums, left, right)

#define SET amx_emulated
#define SET_NAME "amx in C"
#define SET_FUSES
#define SET_TILES

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2,popcnt"), min_vector_width(512))), apply_to = function)
#endif
#include "../../Sources/hero/Shims/CKernels/loops/all.h"
#if defined(__x86_64__)
#pragma clang attribute pop
#endif

const hero_kernels *hero_tiles_emulated(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2") ||
      !__builtin_cpu_supports("popcnt"))
    return NULL;
#endif
  return &hero_kernels_amx_emulated;
}
