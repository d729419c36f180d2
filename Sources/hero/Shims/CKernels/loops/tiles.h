// Products by the tile instructions of AMX.
//
// A tile register holds sixteen rows of sixteen words. One instruction adds to a tile of sums the
// product of two tiles. The left one has sixteen rows by sixteen words of the inner dimension, the
// right one sixteen words of the inner dimension by sixteen columns. A group of the right, as it is
// packed for vectors, is a stack of such tiles. A group of the left would have them transposed, so
// `put_group` packs it without transposing. Neither takes more memory.
//
// 32 rows x 32 columns keep their sums in four tiles. A step takes two tiles of either factor for
// four products: one load, of 1 KB, for each product.
//
// Each thread has its own shapes of tiles. They are set for every product and released after it:
// other users of tiles in the thread find none of ours, and the system has less to save.

enum {
  TILE_ROWS = 32,
  TILE_GROUPS = 2,
  TILE_BYTES = LANES * 4,       // of a row of a tile, and from row to row of a packed one
  TILE_WORDS = LANES * LANES,
};

typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_shapes;

// Constant, because compilers have dropped stores to shapes that only the instruction reads.
static const tile_shapes WHOLE_TILES = {
    .palette = 1,
    .row_bytes = {TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES},
    .rows = {LANES, LANES, LANES, LANES, LANES, LANES, LANES, LANES},
};

INLINE void begin_product(void) { _tile_loadconfig(&WHOLE_TILES); }
INLINE void end_product(void) { _tile_release(); }

// Tiles 0 ... 3 are sums: the first rows' first and second columns, then the second rows'. Tiles 4
// and 5 are rows of the left, 6 and 7 columns of the right.
#define MULTIPLY(product)                                                        \
  _tile_loadd(4, a, TILE_BYTES);                                                 \
  _tile_loadd(6, b, TILE_BYTES);                                                 \
  product(0, 4, 6);                                                              \
  if (wide) { _tile_loadd(7, b + b_next, TILE_BYTES); product(1, 4, 7); }        \
  if (tall) { _tile_loadd(5, a + a_next, TILE_BYTES); product(2, 5, 6); }        \
  if (tall && wide) product(3, 5, 7);

// Fills a tile of the left from `words` < 16 columns, which lie end to end, and zeros.
INLINE void fill_left(uint32_t *to, const uint32_t *from, long words) {
  memset(to, 0, TILE_WORDS * sizeof *to);
  for (long i = 0; i < LANES; i++) memcpy(to + i * LANES, from + i * words, (size_t)words * sizeof *to);
}

// Fills a tile of the right from `words` < 16 rows and zeros: what follows the rows in memory may
// be infinite.
INLINE void fill_right(uint32_t *to, const uint32_t *from, long words) {
  memset(to, 0, TILE_WORDS * sizeof *to);
  memcpy(to, from, (size_t)(words * LANES) * sizeof *to);
}

// Adds products to the sums in the tiles. a, b: the first group of either factor; *_next: the
// distance to the second, if the block is `tall` or `wide`.
INLINE void multiply_tiles(bool int8, bool tall, bool wide, const uint32_t *a, long a_next, const uint32_t *b,
                           long b_next, long words) {
  for (; words >= LANES; words -= LANES, a += TILE_WORDS, b += TILE_WORDS) {
    if (int8) { MULTIPLY(_tile_dpbusd) } else { MULTIPLY(_tile_dpbf16ps) }
  }
  if (words == 0) return;
  _Alignas(64) uint32_t left[2 * TILE_WORDS], right[2 * TILE_WORDS];
  fill_left(left, a, words);
  fill_right(right, b, words);
  if (tall) fill_left(left + TILE_WORDS, a + a_next, words);
  if (wide) fill_right(right + TILE_WORDS, b + b_next, words);
  a = left, b = right;
  a_next = b_next = TILE_WORDS;
  if (int8) { MULTIPLY(_tile_dpbusd) } else { MULTIPLY(_tile_dpbf16ps) }
}

INLINE void store_tiles(bool tall, bool wide, float *sums, long ld) {
  _tile_stored(0, sums, 4 * ld);
  if (wide) _tile_stored(1, sums + LANES, 4 * ld);
  if (tall) _tile_stored(2, sums + LANES * ld, 4 * ld);
  if (tall && wide) _tile_stored(3, sums + LANES * ld + LANES, 4 * ld);
}

INLINE void bf16_block(bool tall, bool wide, const hero_packed_product *p, const uint32_t *a, const uint32_t *b,
                       float *sums, long ld) {
  if (p->is_first) {
    _tile_zero(0);
    if (wide) _tile_zero(1);
    if (tall) _tile_zero(2);
    if (tall && wide) _tile_zero(3);
  } else {
    _tile_loadd(0, sums, 4 * ld);
    if (wide) _tile_loadd(1, sums + LANES, 4 * ld);
    if (tall) _tile_loadd(2, sums + LANES * ld, 4 * ld);
    if (tall && wide) _tile_loadd(3, sums + LANES * ld + LANES, 4 * ld);
  }
  multiply_tiles(false, tall, wide, a, p->left_stride, b, p->right_stride, p->words);
  store_tiles(tall, wide, sums, ld);
}

INLINE void int8_block(bool tall, bool wide, const hero_int8_product *p, const uint32_t *a, const uint32_t *b,
                       long row, long column, float *sums, long ld) {
  // All rows of a tile share one row of starts.
  const int32_t *starts = p->starts + column;
  _tile_loadd(0, starts, 0);
  if (wide) _tile_loadd(1, starts + LANES, 0);
  if (tall) _tile_loadd(2, starts, 0);
  if (tall && wide) _tile_loadd(3, starts + LANES, 0);
  multiply_tiles(true, tall, wide, a, p->left_stride, b, p->right_stride, p->quads);
  store_tiles(tall, wide, sums, ld);
  for (long i = 0; i < (tall ? 2 * LANES : LANES); i++)
    for (long j = 0; j < (wide ? 2 * LANES : LANES); j += LANES) {
      vf scale = p->row_scales[row + i] * load(p->column_scales + column + j);
      vi sum = (vi)load(sums + i * ld + j);
      store(sums + i * ld + j, __builtin_convertvector(sum, vf) * scale);
    }
}

// Calls a block's function with the block's size as constants.
#define BY_SIZE(block, ...)                                   \
  if (rows > LANES) {                                         \
    if (width > LANES) block(true, true, __VA_ARGS__);        \
    else block(true, false, __VA_ARGS__);                     \
  } else {                                                    \
    if (width > LANES) block(false, true, __VA_ARGS__);       \
    else block(false, false, __VA_ARGS__);                    \
  }

static void bf16_tiles(const hero_packed_product *p, long row, long rows, long column, long width, float *sums, long ld) {
  const uint32_t *a = p->left + row / LANES * p->left_stride, *b = p->right + column / LANES * p->right_stride;
  BY_SIZE(bf16_block, p, a, b, sums, ld)
}

static void int8_tiles(const hero_int8_product *p, long row, long rows, long column, long width, float *sums, long ld) {
  const uint32_t *a = p->left + row / LANES * p->left_stride, *b = p->right + column / LANES * p->right_stride;
  BY_SIZE(int8_block, p, a, b, row, column, sums, ld)
}

#undef MULTIPLY
#undef BY_SIZE
