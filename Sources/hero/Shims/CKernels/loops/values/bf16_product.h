// Packing of values for products in bfloat16, and results from the sums.

// Packs rows (or columns) whose inner dimension is contiguous: item i begins at from + i * ld.
static void NAME(pack_along)(uint32_t *to, long stride, const void *from, long ld, long count, long inner, bool left) {
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
      put_group(to + k / 2 * LANES, rows, (inner - k + 1) / 2, left);
    }
  }
}

// Returns sixteen pairs, the first n filled: a value of a row and the one below it in `next`, or 0
// if that is NULL.
INLINE EITHER vu pairs_down(const VALUE *row, const VALUE *next, long n) {
  vu pair = __builtin_convertvector(halves(row, n), vu);
  return next ? pair | __builtin_convertvector(halves(next, n), vu) << 16 : pair;
}

// Packs neighbours whose inner dimension goes from row to row: item i begins at from + i. Each row
// is read over all items, so that each line of memory is fetched once.
static void NAME(pack_across)(uint32_t *to, long stride, const void *from, long ld, long count, long inner, bool left) {
#if defined(SET_TILES)
  if (left) {
    for (long k = 0; k < inner; k += 2 * LANES) {
      const VALUE *first = (const VALUE *)from + k * ld;
      uint32_t *at = to + k / 2 * LANES;
      for (long g = 0; g < count; g += LANES, at += stride) {
        vu pairs[LANES];
        for (long p = 0; p < LANES; p++) {
          long here = k + 2 * p;
          const VALUE *row = first + 2 * p * ld + g;
          pairs[p] = here < inner ? pairs_down(row, here + 1 < inner ? row + ld : NULL, count - g) : (vu)0;
        }
        turn(pairs);
        put_group(at, pairs, (inner - k + 1) / 2, true);
      }
    }
    return;
  }
#endif
  (void)left;
  for (long k = 0; k < inner; k += 2) {
    const VALUE *row = (const VALUE *)from + k * ld;
    const VALUE *next = k + 1 < inner ? row + ld : NULL;
    uint32_t *at = to + k / 2 * LANES;
    for (long g = 0; g < count; g += LANES, at += stride) {
      // The next rows lie in other pages, which the processor does not prefetch by itself.
      __builtin_prefetch(row + PACK_AHEAD * ld + g);
      __builtin_prefetch(row + (PACK_AHEAD + 1) * ld + g);
      vu pair = pairs_down(row + g, next ? next + g : NULL, count - g);
      memcpy(at, &pair, sizeof pair);
    }
  }
}

// Turns a tile's sums into results; the tile begins at (row, column) of the product.
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
        // The activation uses the argument as it is stored, from which the backward pass recomputes
        // it.
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

static void NAME(bf16_product)(const hero_packed_product *p, long rows, long columns) {
  enum { WIDTH = TILE_GROUPS * LANES };
  float tile[TILE_ROWS * WIDTH];
  long ld = p->sums ? p->sums_stride : WIDTH;
  begin_product();
  for (long c = 0; c < columns; c += WIDTH) {
    long width = columns - c < WIDTH ? columns - c : WIDTH;
    for (long r = 0; r < rows; r += TILE_ROWS) {
      long height = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
      float *sums = p->sums ? p->sums + r * ld + c : tile;
      bf16_tiles(p, r, height, c, width, sums, ld);
      if (p->is_last) finish((VALUE *)p->result.out, &p->result, sums, ld, r, height, c, width);
    }
  }
  end_product();
}
