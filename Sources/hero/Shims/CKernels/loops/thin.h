// C = X Wᵀ where X has few rows, as when captions are decoded word by word. A general product would copy all of W into its
// own order first, for a handful of rows; here W passes by once, and X, transposed, stays in the first caches.

enum { TILE = 12 };

// One tile: `height` columns of C for `vectors` * 16 rows. The strides of W are rows apart, so TILE streams are read.
INLINE void thin_tile(int height, int vectors, float *c, long ldc, const float *x, long rows, const float *w,
                      long ldw, long inner) {
  vf sums[TILE][2];
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < height; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) sums[i][j] = 0;
  for (long k = 0; k < inner; k++) {
    // The next tile's lines, a line of every stream at a time: more streams than the processor follows by itself.
    if (k % LANES == 0) {
      _Pragma("clang loop unroll(full)")
      for (int i = 0; i < height; i++) __builtin_prefetch(w + (height + i) * ldw + k);
    }
    vf right[2];
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) right[j] = load(x + (k * vectors + j) * LANES);
    _Pragma("clang loop unroll(full)")
    for (int i = 0; i < height; i++) {
      vf left = w[i * ldw + k];
      _Pragma("clang loop unroll(full)")
      for (int j = 0; j < vectors; j++) sums[i][j] = vfma(left, right[j], sums[i][j]);
    }
  }
  float out[TILE][2 * LANES];
  for (int i = 0; i < height; i++)
    for (int j = 0; j < vectors; j++) store(&out[i][j * LANES], sums[i][j]);
  for (long r = 0; r < rows; r++)
    for (int i = 0; i < height; i++) c[r * ldc + i] = out[i][r];
}

// x: [inner x padded(rows)], at most 32 rows; w: [columns x inner]; c: [rows x columns].
static void thin_product(float *c, long ldc, const float *x, long rows, const float *w, long columns, long inner) {
  long j = 0;
  if (rows > LANES) {
    for (; j + TILE <= columns; j += TILE) thin_tile(TILE, 2, c + j, ldc, x, rows, w + j * inner, inner, inner);
    for (; j < columns; j++) thin_tile(1, 2, c + j, ldc, x, rows, w + j * inner, inner, inner);
  } else {
    for (; j + TILE <= columns; j += TILE) thin_tile(TILE, 1, c + j, ldc, x, rows, w + j * inner, inner, inner);
    for (; j < columns; j++) thin_tile(1, 1, c + j, ldc, x, rows, w + j * inner, inner, inner);
  }
}
