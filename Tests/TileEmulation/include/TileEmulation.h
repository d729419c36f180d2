#ifndef HERO_TILE_EMULATION_H
#define HERO_TILE_EMULATION_H

#include "CKernels.h"

/// The kernels for AMX on processors without it: the same source, compiled with the tile
/// instructions as C functions. NULL where the processor has no fused multiplication.
const hero_kernels *hero_tiles_emulated(void);

/// The kernels for AMX as the program has them: the processor traps at a tile instruction, and a
/// handler of the signal reads its bytes and does in C what it says. NULL where the processor lacks
/// more than tiles, or has them.
const hero_kernels *hero_tiles_trapped(void);

/// One `tdpbf16ps` in C: adds to sums [16 x 16] the product of left [16 x 32] and right [16 x 16
/// pairs].
void hero_tiles_multiply(float *sums, const hero_bf16 *left, const hero_bf16 *right);

#endif
