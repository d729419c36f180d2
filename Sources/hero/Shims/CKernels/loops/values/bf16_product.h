// What a product in bfloat16 reads of values and makes of its sums.

// Packs rows (or columns) whose inner dimension is contiguous: item i begins at from + i * ld.
static void NAME(pack_along)(uint32_t *to, long stride, const void *from, long ld, long count, long inner) {
  for (long g = 0; g < count; g += LANES, to += stride) {
    const VALUE *first = (const VALUE *)from + g * ld;
    for (long k = 0; k < inner; k += 2 * LANES) {
      vu rows[LANES];
      if (count - g >= LANES && k + 2 * LANES <= inner) {
        _Pragma("clang loop unroll(full)")
        for (int i = 0; i < LANES; i++) rows[i] = pairs_of(first + i * ld + k, 2 * LANES);
      } else {
        for (long i = 0; i < LANES; i++) rows[i] = i < count - g ? pairs_of(first + i * ld + k, inner - k) : (vu)0;
      }
      turn(rows);
      long pairs = (inner - k + 1) / 2;
      if (pairs >= LANES) {
        _Pragma("clang loop unroll(full)")
        for (int p = 0; p < LANES; p++) memcpy(to + (k / 2 + p) * LANES, &rows[p], sizeof rows[p]);
      } else {
        for (long p = 0; p < pairs; p++) memcpy(to + (k / 2 + p) * LANES, &rows[p], sizeof rows[p]);
      }
    }
  }
}

// Packs neighbours whose inner dimension goes from row to row: item i begins at from + i. Rows are
// read as far as there are items, so that each line of memory is fetched once.
static void NAME(pack_across)(uint32_t *to, long stride, const void *from, long ld, long count, long inner) {
  for (long k = 0; k < inner; k += 2) {
    const VALUE *row = (const VALUE *)from + k * ld;
    const VALUE *next = k + 1 < inner ? row + ld : NULL;
    uint32_t *at = to + k / 2 * LANES;
    for (long g = 0; g < count; g += LANES, at += stride) {
      // The next rows lie in other pages, where the processor does not look ahead by itself.
      __builtin_prefetch(row + PACK_AHEAD * ld + g);
      __builtin_prefetch(row + (PACK_AHEAD + 1) * ld + g);
      vu pair = __builtin_convertvector(halves(row + g, count - g), vu);
      if (next) pair |= __builtin_convertvector(halves(next + g, count - g), vu) << 16;
      memcpy(at, &pair, sizeof pair);
    }
  }
}

// Makes results of a tile's sums; the tile begins at (row, column) of the product.
INLINE EITHER void finish(VALUE *out, const hero_product_result *p, const float *sums, long ld, long row, long rows,
                          long column, long columns) {
  for (long i = 0; i < rows; i++)
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c, at = (row + i) * p->out_stride + column + c;
      vf x = load_up_to(sums + i * ld + c, n);
      if (p->bias) x += load_up_to(p->bias + column + c, n);
      if (p->activation == HERO_GELU) {
        VALUE *argument = (VALUE *)p->pre + at;
        vf density, integral;
        // What the backward pass will make again is made of the argument as it is kept.
        x = kept(argument, x);
        normal_of(argument, x, &density, &integral);
        store_up_to(argument, x, n);
        x *= integral;
      } else if (p->activation == HERO_RELU) {
        x = vselect(x < 0.0f, (vf)0, x);
      } else if (p->activation == HERO_QUICK_GELU) {
        x = quick_gelu(x);
      } else if (p->accumulate) {
        x += load_up_to(out + at, n);
      }
      store_up_to(out + at, x, n);
    }
}

static void NAME(bf16_product)(const hero_bf16_product *p, long rows, long columns) {
  float tile[TILE_ROWS * TILE_GROUPS * LANES];
  long ld = p->sums ? p->sums_stride : TILE_GROUPS * LANES;
  for (long c = 0; c < columns; c += TILE_GROUPS * LANES) {
    long width = columns - c < TILE_GROUPS * LANES ? columns - c : TILE_GROUPS * LANES;
    const uint32_t *right = p->right + c / LANES * p->right_stride;
    for (long r = 0; r < rows; r += TILE_ROWS) {
      float *sums = p->sums ? p->sums + r * ld + c : tile;
      bf16_tiles((width + LANES - 1) / LANES, p->left + r / LANES * p->left_stride + r % LANES, right,
                  p->right_stride, p->pairs, sums, ld, p->is_first);
      if (p->is_last)
        finish((VALUE *)p->result.out, &p->result, sums, ld, r, rows - r < TILE_ROWS ? rows - r : TILE_ROWS, c, width);
    }
  }
}
