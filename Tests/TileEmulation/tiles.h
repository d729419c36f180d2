// The tile instructions of AMX as C functions, by the definitions of Intel's manual (volume 2).
// Every thread has tiles of its own. An operation that the processor would refuse ends the process.

#ifndef HERO_TILES_H
#define HERO_TILES_H

void tile_configure(const void *shapes);
void tile_release(void);
void tile_zero(int tile);
void tile_load(int tile, const void *from, long stride);
void tile_store(int tile, void *to, long stride);
void tile_dot_bf16(int sums, int left, int right);
void tile_dot_bytes(int sums, int left, int right);

#endif
