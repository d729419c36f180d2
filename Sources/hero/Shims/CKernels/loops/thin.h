// C = X Wᵀ where X has few rows, as when captions are decoded word by word. A general product would
// first copy all of W into its own order for a handful of rows. Here W is read once, in panels of
// some columns of C. A slice of X, transposed, stays in the first cache while a panel's sums grow.

enum {
  THIN_VECTORS = 2,   // of X's rows in one pass: more would leave the sums no room
  THIN_HEIGHT = 12,   // most columns of C in a tile
  THIN_PANEL = 48,    // columns of C in a panel
  THIN_DEPTH = 128,   // of a slice: 16 KB of X
};

// Adds a slice's products to the sums of a tile: `height` columns of C for `vectors` vectors of X's
// rows. The rows of W are far apart, so `height` streams are read, more than the processor
// prefetches by itself. This prefetches `next`, where the streams go on after this tile.
INLINE void thin_tile(int height, int vectors, rf *sums, const float *x, long ldx, const float *w, long ldw,
                      long depth, const float *next) {
  rf own[THIN_HEIGHT][THIN_VECTORS];
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < height; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) own[i][j] = sums[i * vectors + j];
  for (long k = 0; k < depth; k++) {
    if (k % LANES == 0) {
      _Pragma("clang loop unroll(full)")
      for (int i = 0; i < height; i++) __builtin_prefetch(next + i * ldw + k);
    }
    rf right[THIN_VECTORS];
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) memcpy(&right[j], x + k * ldx + j * REGISTER_LANES, sizeof right[j]);
    _Pragma("clang loop unroll(full)")
    for (int i = 0; i < height; i++) {
      rf left = w[i * ldw + k];
      _Pragma("clang loop unroll(full)")
      for (int j = 0; j < vectors; j++) own[i][j] = rfma(left, right[j], own[i][j]);
    }
  }
  _Pragma("clang loop unroll(full)")
  for (int i = 0; i < height; i++)
    _Pragma("clang loop unroll(full)")
    for (int j = 0; j < vectors; j++) sums[i * vectors + j] = own[i][j];
}

INLINE void thin_panel(int vectors, float *c, long ldc, const float *x, long ldx, long rows, const float *w,
                       long columns, long inner) {
  int height = REGISTER_SUMS / vectors < THIN_HEIGHT ? REGISTER_SUMS / vectors : THIN_HEIGHT;
  rf sums[THIN_PANEL * THIN_VECTORS];
  for (long i = 0; i < columns * vectors; i++) sums[i] = 0;
  for (long k = 0; k < inner; k += THIN_DEPTH) {
    long depth = inner - k < THIN_DEPTH ? inner - k : THIN_DEPTH;
    const float *slice = x + k * ldx, *from = w + k;
    long j = 0;
    for (; j + height <= columns; j += height) {
      const float *next = j + 2 * height <= columns ? from + (j + height) * inner : from + THIN_DEPTH;
      thin_tile(height, vectors, sums + j * vectors, slice, ldx, from + j * inner, inner, depth, next);
    }
    for (; j < columns; j++)
      thin_tile(1, vectors, sums + j * vectors, slice, ldx, from + j * inner, inner, depth, from + (j + 1) * inner);
  }
  float column[THIN_VECTORS * REGISTER_LANES];
  for (long j = 0; j < columns; j++) {
    memcpy(column, sums + j * vectors, (size_t)vectors * sizeof(rf));
    for (long r = 0; r < rows; r++) c[r * ldc + j] = column[r];
  }
}

// x: [inner x padded(rows)]; w: [columns x inner]; c: [rows x columns].
static void thin_product(float *c, long ldc, const float *x, long rows, const float *w, long columns, long inner) {
  long ldx = hero_padded(rows);
  for (long j = 0; j < columns; j += THIN_PANEL) {
    long width = columns - j < THIN_PANEL ? columns - j : THIN_PANEL;
    for (long r = 0; r < rows; r += THIN_VECTORS * REGISTER_LANES) {
      long some = rows - r < THIN_VECTORS * REGISTER_LANES ? rows - r : THIN_VECTORS * REGISTER_LANES;
      float *to = c + r * ldc + j;
      const float *from = w + j * inner;
      if (some > REGISTER_LANES)
        thin_panel(2, to, ldc, x + r, ldx, some, from, width, inner);
      else
        thin_panel(1, to, ldc, x + r, ldx, some, from, width, inner);
    }
  }
}
