// Products of one head of an attention, and its softmax. Sequences here are short (a subtitle
// sentence, a query, a clip), so a call to a general matrix product costs more than the product.
// These blocks work on scratch that fits the first caches.

// C[rows x width] = A[rows x inner] * B[inner x width]; width is a multiple of 16. A has strides,
// so that it may be transposed. A block is two or four rows by as many vectors as the registers
// hold.
enum { FLAT_ROWS = REGISTER_SUMS * REGISTER_LANES < 64 ? 2 : 4, FLAT_VECTORS = REGISTER_LANES == 16 ? 4 : 1 };

INLINE void block(int height, int vectors, long inner, const float *a, long row_stride, long column_stride,
                  const float *b, long ldb, float *c, long ldc) {
  vf sums[FLAT_ROWS][FLAT_VECTORS];
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < height; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) sums[i][j] = 0;
  for (long k = 0; k < inner; k++) {
    vf right[FLAT_VECTORS];
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) right[j] = load(b + k * ldb + j * LANES);
    _Pragma("clang loop unroll(full)")
    for (int i = 0; i < height; i++) {
      vf left = a[i * row_stride + k * column_stride];
      _Pragma("clang loop unroll(full)")
      for (int j = 0; j < vectors; j++) sums[i][j] = vfma(left, right[j], sums[i][j]);
    }
  }
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < height; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) store(c + i * ldc + j * LANES, sums[i][j]);
}

static void product(long rows, long width, long inner, const float *a, long row_stride, long column_stride,
                    const float *b, long ldb, float *c, long ldc) {
#define PANEL(vectors)                                                                                          \
  {                                                                                                             \
    long i = 0;                                                                                                 \
    for (; i + FLAT_ROWS <= rows; i += FLAT_ROWS)                                                               \
      block(FLAT_ROWS, vectors, inner, a + i * row_stride, row_stride, column_stride, b + j, ldb, c + i * ldc + j, ldc); \
    for (; i < rows; i++)                                                                                       \
      block(1, vectors, inner, a + i * row_stride, row_stride, column_stride, b + j, ldb, c + i * ldc + j, ldc); \
  }
  long j = 0;
  for (; j + FLAT_VECTORS * LANES <= width; j += FLAT_VECTORS * LANES) PANEL(FLAT_VECTORS)
#if defined(SET_WIDE)
  switch ((width - j) / LANES) {
    case 3: PANEL(3) break;
    case 2: PANEL(2) break;
    case 1: PANEL(1) break;
    default: break;
  }
#endif
#undef PANEL
}

// Turns the first `seen` numbers of a row into exp(scale * (x - the largest)) and the rest of
// `keys` into 0. Returns their sum.
INLINE float exponentials(float *row, long keys, long seen, float scale_by) {
  vf most = -INFINITY;
  for (long j = 0; j + LANES <= seen; j += LANES) most = vmax(most, load(row + j));
  float top = hmax(most);
  for (long j = seen & ~15L; j < seen; j++) top = row[j] > top ? row[j] : top;
  vf total = 0;
  for (long j = 0; j < keys; j += LANES) {
    vf e = j < seen ? first_lanes(vexp((load(row + j) - top) * scale_by), seen - j) : (vf)0;
    total += e;
    store(row + j, e);
  }
  return hsum(total);
}
