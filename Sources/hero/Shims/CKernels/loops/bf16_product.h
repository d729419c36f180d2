// Products of bfloat16 with sums in float32.
//
// Both factors are packed. Sixteen rows of the left or sixteen columns of the right make a group,
// in which the inner dimension goes by pairs. For each pair the group's sixteen lie side by side,
// so that one vector holds sixteen pairs. A tile of 8 rows x 48 columns keeps its 24 sums in
// registers and reads 3 vectors and 8 pairs for 24 instructions. If the processor has tiles of its
// own (`tiles.h`), the left lies in the order that they take.

enum { PACK_AHEAD = 8 };  // rows that are asked for before they are packed

enum { VECTOR_ROWS = 8, VECTOR_GROUPS = 3 };

// sum + left . right, word by word: float32, or pairs of bfloat16.
INLINE vf word_product(bool floats, vf sum, uint32_t left, vu right) {
  if (floats) return vfma((vf)(vu)left, (vf)right, sum);
#if defined(SET_BF16)
  return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)(vu)left, (__m512bh)right);
#else
  vu pair = left;
  sum = vfma((vf)(pair << 16), (vf)(right << 16), sum);
  return vfma((vf)(pair & 0xFFFF0000u), (vf)(right & 0xFFFF0000u), sum);
#endif
}

// sums[8 x 16 groups] (+)= the products of the first `rows` of eight rows of a group of the left
// with some groups of the right.
INLINE void vector_tile(bool floats, int rows, int groups, const hero_packed_product *p, const uint32_t *left,
                        const uint32_t *right, float *sums, long ld) {
  long stride = p->right_stride;
  vf own[VECTOR_ROWS][VECTOR_GROUPS];
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < rows; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < groups; j++) own[i][j] = p->is_first ? (vf)0 : load(sums + i * ld + j * LANES);
  for (long k = 0; k < p->words; k++) {
    vu columns[VECTOR_GROUPS];
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < groups; j++) memcpy(&columns[j], right + j * stride + k * LANES, sizeof columns[j]);
    _Pragma("clang loop unroll(full)")
    for (int i = 0; i < rows; i++)
      _Pragma("clang loop unroll(full)")
      for (int j = 0; j < groups; j++) own[i][j] = word_product(floats, own[i][j], left[k * LANES + i], columns[j]);
  }
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < rows; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < groups; j++) store(sums + i * ld + j * LANES, own[i][j]);
}

// Does the same for at most 48 columns from a place of the product on.
INLINE void vector_tiles(bool floats, const hero_packed_product *p, long row, long height, long column, long width,
                         float *sums, long ld) {
  const uint32_t *left = p->left + row / LANES * p->left_stride + row % LANES;
  const uint32_t *right = p->right + column / LANES * p->right_stride;
  int groups = width > 2 * LANES ? 3 : width > LANES ? 2 : 1;
  // A query has few rows, so missing rows must take no time.
#define WITH_ROWS(rows)                                                  \
  switch (groups) {                                                      \
    case 1: vector_tile(floats, rows, 1, p, left, right, sums, ld); break; \
    case 2: vector_tile(floats, rows, 2, p, left, right, sums, ld); break; \
    default: vector_tile(floats, rows, 3, p, left, right, sums, ld); break; \
  }
  if (height > 6) WITH_ROWS(8)
  else if (height > 4) WITH_ROWS(6)
  else if (height > 2) WITH_ROWS(4)
  else WITH_ROWS(2)
#undef WITH_ROWS
}

#if !defined(SET_TILES)
enum { TILE_ROWS = VECTOR_ROWS, TILE_GROUPS = VECTOR_GROUPS };

INLINE void begin_product(void) {}
INLINE void end_product(void) {}

static void bf16_tiles(const hero_packed_product *p, long row, long rows, long column, long width, float *sums,
                       long ld) {
  vector_tiles(false, p, row, rows, column, width, sums, ld);
}
#endif

// Transposes sixteen vectors of sixteen lanes.
INLINE void turn(vu rows[LANES]) {
  // Stage by stage, blocks of 8, 4, 2 and 1 lanes change places between vectors that far apart.
#define STAGE(step, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15)                      \
  _Pragma("clang loop unroll(full)")                                                                            \
  for (int i = 0; i < LANES; i++) {                                                                             \
    if (i & step) continue;                                                                                     \
    vu x = rows[i], y = rows[i + step];                                                                         \
    rows[i] = __builtin_shufflevector(x, y, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15); \
    rows[i + step] = __builtin_shufflevector(x, y, a0 + step, a1 + step, a2 + step, a3 + step, a4 + step,       \
        a5 + step, a6 + step, a7 + step, a8 + step, a9 + step, a10 + step, a11 + step, a12 + step, a13 + step,  \
        a14 + step, a15 + step);                                                                                \
  }
  STAGE(8, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
  STAGE(4, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
  STAGE(2, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
  STAGE(1, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#undef STAGE
}

// Writes up to sixteen words of the inner dimension of a group; `rows` has a vector for each of the
// group's sixteen. The left of a product by tiles is stored vector after vector, all else word by
// word.
INLINE void put_group(uint32_t *to, vu rows[LANES], long words, bool left) {
#if defined(SET_TILES)
  if (left) {
    if (words >= LANES) {
      _Pragma("clang loop unroll(full)")
      for (int i = 0; i < LANES; i++) memcpy(to + i * LANES, &rows[i], sizeof rows[i]);
    } else {
      for (long i = 0; i < LANES; i++) memcpy(to + i * words, &rows[i], (size_t)words * sizeof *to);
    }
    return;
  }
#endif
  (void)left;
  turn(rows);
  if (words >= LANES) {
    _Pragma("clang loop unroll(full)")
    for (int k = 0; k < LANES; k++) memcpy(to + k * LANES, &rows[k], sizeof rows[k]);
  } else {
    for (long k = 0; k < words; k++) memcpy(to + k * LANES, &rows[k], sizeof rows[k]);
  }
}

// Return the first n of sixteen values as bfloat16, and the first n of 32 as sixteen pairs.
INLINE EITHER vh halves(const float *p, long n) { return narrowed(load_up_to(p, n)); }
INLINE EITHER vh halves(const hero_bf16 *p, long n) {
  vh h = 0;
  if (n >= LANES) memcpy(&h, p, sizeof h); else memcpy(&h, p, (size_t)n * sizeof *p);
  return h;
}
INLINE EITHER vu pairs_of(const float *p, long n) {
  vh32 both = __builtin_shufflevector(halves(p, n), n > LANES ? halves(p + LANES, n - LANES) : (vh)0, 0, 1, 2, 3, 4, 5, 6,
                                      7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
                                      28, 29, 30, 31);
  return (vu)both;
}
INLINE EITHER vu pairs_of(const hero_bf16 *p, long n) {
  vu both = 0;
  if (n >= 2 * LANES) memcpy(&both, p, sizeof both); else memcpy(&both, p, (size_t)n * sizeof *p);
  return both;
}
