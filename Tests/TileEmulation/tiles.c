#include "tiles.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "TileEmulation.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#endif

enum { TILES = 8, ROWS = 16, BYTES = 64, WORDS = BYTES / 4 };

typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} shapes;

typedef struct {
  shapes shapes;
  uint32_t words[TILES][ROWS][WORDS];
} tile_state;

static _Thread_local tile_state own;

static void require(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "tile instruction: %s\n", what);
  abort();
}

static void require_tile(int tile) {
  require(own.shapes.palette == 1, "no shapes are loaded");
  require(tile >= 0 && tile < TILES && own.shapes.rows[tile] > 0, "the tile has no shape");
}

void tile_release(void) { memset(&own, 0, sizeof own); }

void tile_configure(const void *from) {
  shapes given;
  memcpy(&given, from, sizeof given);
  tile_release();
  if (given.palette == 0) return;
  require(given.palette == 1, "palette");
  require(given.start_row == 0, "a start row");
  for (int i = 0; i < 14; i++) require(given.reserved[i] == 0, "reserved bytes");
  for (int i = 0; i < 16; i++) {
    require((given.rows[i] == 0) == (given.row_bytes[i] == 0), "rows without bytes");
    require(i < TILES || given.rows[i] == 0, "more than eight tiles");
    require(given.rows[i] <= ROWS && given.row_bytes[i] <= BYTES, "a tile is too large");
  }
  own.shapes = given;
}

void tile_zero(int tile) {
  require_tile(tile);
  memset(own.words[tile], 0, sizeof own.words[tile]);
}

void tile_load(int tile, const void *from, long stride) {
  tile_zero(tile);
  for (int i = 0; i < own.shapes.rows[tile]; i++)
    memcpy(own.words[tile][i], (const char *)from + i * stride, own.shapes.row_bytes[tile]);
}

void tile_store(int tile, void *to, long stride) {
  require_tile(tile);
  for (int i = 0; i < own.shapes.rows[tile]; i++)
    memcpy((char *)to + i * stride, own.words[tile][i], own.shapes.row_bytes[tile]);
}

// Flushes subnormal numbers to zero, with their sign.
static float flushed(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return flushed(x);
}

// Sums the even and the odd elements of a tile's row apart, adds the two, and adds the result to
// `sums`. Each step rounds to the nearest.
static void multiply_row(float *sums, const uint32_t *left, const uint32_t (*right)[WORDS], int inner, int columns) {
  float even[WORDS] = {0}, odd[WORDS] = {0};
  for (int k = 0; k < inner; k++) {
    float low = float_of(left[k] << 16), high = float_of(left[k] & 0xFFFF0000u);
    for (int n = 0; n < columns; n++) {
      even[n] = flushed(fmaf(low, float_of(right[k][n] << 16), even[n]));
      odd[n] = flushed(fmaf(high, float_of(right[k][n] & 0xFFFF0000u), odd[n]));
    }
  }
  for (int n = 0; n < columns; n++) sums[n] = flushed(flushed(sums[n]) + flushed(even[n] + odd[n]));
}

static void require_match(int sums, int left, int right) {
  require_tile(sums), require_tile(left), require_tile(right);
  const shapes *s = &own.shapes;
  require(sums != left && sums != right && left != right, "a tile is there twice");
  require(s->rows[sums] == s->rows[left], "rows of the sums and of the left");
  require(s->row_bytes[sums] == s->row_bytes[right], "columns of the sums and of the right");
  require(s->row_bytes[left] == 4 * s->rows[right], "the inner dimension");
}

void tile_dot_bf16(int sums, int left, int right) {
  require_match(sums, left, right);
  for (int m = 0; m < own.shapes.rows[sums]; m++) {
    float row[WORDS];
    memcpy(row, own.words[sums][m], sizeof row);
    multiply_row(row, own.words[left][m], (const uint32_t (*)[WORDS])own.words[right], own.shapes.rows[right],
                 own.shapes.row_bytes[sums] / 4);
    memcpy(own.words[sums][m], row, sizeof row);
  }
}

// Multiplies unsigned bytes of the left by signed bytes of the right, into 32-bit sums that wrap.
void tile_dot_bytes(int sums, int left, int right) {
  require_match(sums, left, right);
  for (int m = 0; m < own.shapes.rows[sums]; m++)
    for (int k = 0; k < own.shapes.rows[right]; k++)
      for (int n = 0; n < own.shapes.row_bytes[sums] / 4; n++) {
        uint32_t a = own.words[left][m][k], b = own.words[right][k][n];
        for (int i = 0; i < 32; i += 8) own.words[sums][m][n] += (a >> i & 255u) * (uint32_t)(int8_t)(b >> i);
      }
}

void hero_tiles_multiply(float *sums, const hero_bf16 *left, const hero_bf16 *right) {
  shapes whole = {.palette = 1};
  for (int i = 0; i < 3; i++) whole.rows[i] = ROWS, whole.row_bytes[i] = BYTES;
  tile_configure(&whole);
  tile_load(0, sums, BYTES), tile_load(1, left, BYTES), tile_load(2, right, BYTES);
  tile_dot_bf16(0, 1, 2);
  tile_store(0, sums, BYTES);
  tile_release();
}

#if defined(__x86_64__)
#pragma clang attribute pop
#endif
