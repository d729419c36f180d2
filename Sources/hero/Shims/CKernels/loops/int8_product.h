// Products of int8 with sums in int32, packed like those of bfloat16, but with four of the inner
// dimension in a word instead of two. Sums of whole numbers are the same in every order and on
// every processor.
//
// The instruction multiplies unsigned bytes by signed ones. So the left ones are shifted by 128,
// and each column's sum starts with the negative of what the shift adds.

#if !defined(SET_TILES)
// sum + left . right, four by four. Sums may wrap on the way, but end within 32 bits.
INLINE vu quad_product(vu sum, uint32_t left, vu right) {
#if defined(SET_BF16)
  return (vu)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)(vu)left, (__m512i)right);
#else
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < 4; i++) sum += (left >> 8 * i & 255u) * (vu)((vi)(right << (24 - 8 * i)) >> 24);
  return sum;
#endif
}

// sums[8 x 16 groups] = the products of eight rows with some groups of columns, scaled.
INLINE void int8_tile(int groups, const hero_int8_product *p, long row, long column, float *sums, long ld) {
  const uint32_t *left = p->left + row / LANES * p->left_stride + row % LANES;
  const uint32_t *right = p->right + column / LANES * p->right_stride;
  long stride = p->right_stride;
  vu own[TILE_ROWS][TILE_GROUPS];
  _Pragma("clang loop unroll(full)")
  for (int j = 0; j < groups; j++) {
    vu start;
    memcpy(&start, p->starts + column + j * LANES, sizeof start);
    _Pragma("clang loop unroll(full)")
    for (int i = 0; i < TILE_ROWS; i++) own[i][j] = start;
  }
  for (long k = 0; k < p->quads; k++) {
    vu columns[TILE_GROUPS];
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < groups; j++) memcpy(&columns[j], right + j * stride + k * LANES, sizeof columns[j]);
    _Pragma("clang loop unroll(full)")
    for (int i = 0; i < TILE_ROWS; i++)
      _Pragma("clang loop unroll(full)")
      for (int j = 0; j < groups; j++) own[i][j] = quad_product(own[i][j], left[k * LANES + i], columns[j]);
  }
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < TILE_ROWS; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < groups; j++) {
      vf scale = p->row_scales[row + i] * load(p->column_scales + column + j * LANES);
      store(sums + i * ld + j * LANES, __builtin_convertvector((vi)own[i][j], vf) * scale);
    }
}

static void int8_tiles(const hero_int8_product *p, long row, long rows, long column, long width, float *sums, long ld) {
  (void)rows;
  switch ((width + LANES - 1) / LANES) {
    case 1: int8_tile(1, p, row, column, sums, ld); break;
    case 2: int8_tile(2, p, row, column, sums, ld); break;
    default: int8_tile(3, p, row, column, sums, ld); break;
  }
}
#endif

typedef int8_t vb __attribute__((ext_vector_type(16)));
typedef int8_t vb32 __attribute__((ext_vector_type(32)));
typedef int8_t vb64 __attribute__((ext_vector_type(64)));

#define FIRST_16 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define NEXT_16 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
#define LAST_32 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, \
    57, 58, 59, 60, 61, 62, 63

// Returns 64 bytes as sixteen words of four.
INLINE vu words_of(vb a, vb b, vb c, vb d) {
  vb32 low = __builtin_shufflevector(a, b, FIRST_16, NEXT_16), high = __builtin_shufflevector(c, d, FIRST_16, NEXT_16);
  return (vu)__builtin_shufflevector(low, high, FIRST_16, NEXT_16, LAST_32);
}

// Rounds to the nearest whole numbers, ties to even.
INLINE vb bytes(vf v) { return __builtin_convertvector(__builtin_convertvector(vround(v), vi), vb); }
