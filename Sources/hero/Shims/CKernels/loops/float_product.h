// Products of float32 by tiles of vectors, like those of bfloat16: a word of a packed factor is one
// number.
//
// A general product packs weights at each call. Here they may stay packed, and a result gets its
// bias and its activation while it is in the first cache.

// Packs rows: item i begins at from + i * ld.
static void pack_floats(uint32_t *to, long stride, const float *from, long ld, long count, long inner) {
  for (long g = 0; g < count; g += LANES, to += stride) {
    const float *first = from + g * ld;
    for (long k = 0; k < inner; k += LANES) {
      vu rows[LANES];
      if (count - g >= LANES && k + LANES <= inner) {
        _Pragma("clang loop unroll(full)")
        for (int i = 0; i < LANES; i++) rows[i] = (vu)load(first + i * ld + k);
      } else {
        for (long i = 0; i < LANES; i++) rows[i] = i < count - g ? (vu)load_up_to(first + i * ld + k, inner - k) : (vu)0;
      }
      put_group(to + k * LANES, rows, inner - k, false);
    }
  }
}

static void float_product(const hero_packed_product *p, long rows, long columns) {
  enum { WIDTH = VECTOR_GROUPS * LANES };
  float tile[VECTOR_ROWS * WIDTH];
  long ld = p->sums ? p->sums_stride : WIDTH;
  for (long c = 0; c < columns; c += WIDTH) {
    long width = columns - c < WIDTH ? columns - c : WIDTH;
    for (long r = 0; r < rows; r += VECTOR_ROWS) {
      long height = rows - r < VECTOR_ROWS ? rows - r : VECTOR_ROWS;
      float *sums = p->sums ? p->sums + r * ld + c : tile;
      vector_tiles(true, p, r, height, c, width, sums, ld);
      if (p->is_last) finish((float *)p->result.out, &p->result, sums, ld, r, height, c, width);
    }
  }
}
