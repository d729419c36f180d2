// C = X Wᵀ where X has few rows, as when captions are decoded word by word. A general product would copy all of W into its
// own order first, for a handful of rows; here W passes by once, and X, transposed, stays in the first caches.

// One tile: `height` columns of C for `vectors` * 16 rows of X. The rows of W are far apart: `height` streams are read.
INLINE void thin_tile(int height, int vectors, float *c, long ldc, const float *x, long ldx, long rows,
                      const float *w, long ldw, long inner) {
  vf sums[TALL_ROWS][TALL_VECTORS];
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
    vf right[TALL_VECTORS];
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) right[j] = load(x + k * ldx + j * LANES);
    _Pragma("clang loop unroll(full)")
    for (int i = 0; i < height; i++) {
      vf left = w[i * ldw + k];
      _Pragma("clang loop unroll(full)")
      for (int j = 0; j < vectors; j++) sums[i][j] = vfma(left, right[j], sums[i][j]);
    }
  }
  float out[TALL_ROWS][TALL_VECTORS * LANES];
  for (int i = 0; i < height; i++)
    for (int j = 0; j < vectors; j++) store(&out[i][j * LANES], sums[i][j]);
  for (long r = 0; r < rows; r++)
    for (int i = 0; i < height; i++) c[r * ldc + i] = out[i][r];
}

// A tile for all rows of X; after the first pass W's part of it is in the first cache.
INLINE void thin_tiles(int height, float *c, long ldc, const float *x, long ldx, long rows, const float *w,
                       long inner) {
  long r = 0;
  for (; TALL_VECTORS > 1 && r + LANES < rows; r += TALL_VECTORS * LANES) {
    long some = rows - r < TALL_VECTORS * LANES ? rows - r : TALL_VECTORS * LANES;
    thin_tile(height, TALL_VECTORS, c + r * ldc, ldc, x + r, ldx, some, w, inner, inner);
  }
  for (; r < rows; r += LANES)
    thin_tile(height, 1, c + r * ldc, ldc, x + r, ldx, rows - r < LANES ? rows - r : LANES, w, inner, inner);
}

// x: [inner x padded(rows)]; w: [columns x inner]; c: [rows x columns].
static void thin_product(float *c, long ldc, const float *x, long rows, const float *w, long columns, long inner) {
  long j = 0, ldx = hero_padded(rows);
  for (; j + TALL_ROWS <= columns; j += TALL_ROWS) thin_tiles(TALL_ROWS, c + j, ldc, x, ldx, rows, w + j * inner, inner);
  for (; j < columns; j++) thin_tiles(1, c + j, ldc, x, ldx, rows, w + j * inner, inner);
}
