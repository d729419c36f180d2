#ifndef HERO_TILE_EMULATION_H
#define HERO_TILE_EMULATION_H

#include "CKernels.h"

/// Returns the kernels for AMX on processors without it, or NULL.
///
/// They are the same source, compiled with the tile instructions as C functions. NULL where the
/// processor has no fused multiplication.
const hero_kernels *hero_tiles_emulated(void);

/// Returns the program's own kernels for AMX, whose tile instructions trap, or NULL.
///
/// A handler of the signal decodes each instruction and does its work in C. NULL where the
/// processor lacks more than tiles, or has them.
const hero_kernels *hero_tiles_trapped(void);

/// Does one `tdpbf16ps` in C: adds to sums [16 x 16] the product of left [16 x 32] and right [16 x
/// 16 pairs].
void hero_tiles_multiply(float *sums, const hero_bf16 *left, const hero_bf16 *right);

#endif
