// Packing of values for products in int8, and results from the sums.

// Returns 127 / the largest magnitude of a row; `scale` becomes the inverse. Both are 0 if all
// values are below 1e-30 in size. If one is not finite, the factor is 0 and the scale NaN.
INLINE EITHER float int8_factor(const VALUE *row, long n, float *scale) {
  vf most = 0, strange = 0;
  for (long k = 0; k < n; k += LANES) {
    vf x = load_up_to(row + k, n - k);
    most = vmax(most, vabs(x));
    strange += x - x;
  }
  float largest = hmax(most), fault = hsum(strange);
  *scale = 0;
  if (fault != fault) *scale = NAN;
  if (fault != fault || largest < 1e-30f) return 0;
  *scale = largest / 127.0f;
  return 127.0f / largest;
}

// Returns the first n of 64 values as bytes.
INLINE EITHER vu quads_of(const VALUE *p, long n, float factor) {
  if (n >= 4 * LANES)
    return words_of(bytes(load(p) * factor), bytes(load(p + LANES) * factor), bytes(load(p + 2 * LANES) * factor),
                    bytes(load(p + 3 * LANES) * factor));
  vb parts[4];
  for (int i = 0; i < 4; i++) parts[i] = n > i * LANES ? bytes(load_up_to(p + i * LANES, n - i * LANES) * factor) : (vb)0;
  return words_of(parts[0], parts[1], parts[2], parts[3]);
}

static void NAME(pack_int8)(uint32_t *to, long stride, float *scales, int32_t *starts, const void *from, long ld,
                            long count, long inner) {
  vu shift = starts ? 0 : 0x80808080u;
  long quads = (inner + 3) / 4;
  for (long g = 0; g < count; g += LANES, to += stride) {
    const VALUE *first = (const VALUE *)from + g * ld;
    float factors[LANES];
    for (long i = 0; i < LANES; i++) {
      factors[i] = scales[g + i] = 0;
      if (i < count - g) factors[i] = int8_factor(first + i * ld, inner, scales + g + i);
    }
    for (long k = 0; k < quads; k += LANES) {
      vu rows[LANES];
      // Without a factor, every value of the row counts as 0.
      for (long i = 0; i < LANES; i++)
        rows[i] = shift ^ (factors[i] > 0 ? quads_of(first + i * ld + 4 * k, inner - 4 * k, factors[i]) : (vu)0);
      put_group(to + k * LANES, rows, quads - k, !starts);
    }
    if (!starts) continue;
    vi sums = 0;
    for (long q = 0; q < quads; q++) {
      vu words;
      memcpy(&words, to + q * LANES, sizeof words);
      for (int i = 0; i < 4; i++) sums += (vi)(words << (24 - 8 * i)) >> 24;
    }
    sums *= -128;
    memcpy(starts + g, &sums, sizeof sums);
  }
}

static void NAME(int8_product)(const hero_int8_product *p, long rows, long columns) {
  enum { WIDTH = TILE_GROUPS * LANES };
  float tile[TILE_ROWS * WIDTH];
  begin_product();
  for (long c = 0; c < columns; c += WIDTH) {
    long width = columns - c < WIDTH ? columns - c : WIDTH;
    for (long r = 0; r < rows; r += TILE_ROWS) {
      long height = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
      int8_tiles(p, r, height, c, width, tile, WIDTH);
      finish((VALUE *)p->result.out, &p->result, tile, WIDTH, r, height, c, width);
    }
  }
  end_product();
}
