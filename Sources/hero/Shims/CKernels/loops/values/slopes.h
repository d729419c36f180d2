// Backward passes of activations, sums of columns, dropout of a row.

static void NAME(relu_backward)(void *dx, const void *dy, const void *y, long n) {
  VALUE *to = dx;
  const VALUE *from = dy, *result = y;
  for (long i = 0; i < n; i += LANES)
    store_up_to(to + i, vselect(load_up_to(result + i, n - i) > 0.0f, load_up_to(from + i, n - i), (vf)0), n - i);
}

static void NAME(gelu_backward)(void *dx, const void *dy, const void *pre, long n) {
  VALUE *to = dx;
  const VALUE *from = dy, *argument = pre;
  for (long i = 0; i < n; i += LANES) {
    vf x = load_up_to(argument + i, n - i), density, integral;
    normal_of(argument, x, &density, &integral);
    store_up_to(to + i, load_up_to(from + i, n - i) * vfma(x, density, integral), n - i);
  }
}

static void NAME(gelu_again)(void *out, void *dy, const void *pre, long n) {
  VALUE *result = out, *gradient = dy;
  const VALUE *argument = pre;
  for (long i = 0; i < n; i += LANES) {
    vf x = load_up_to(argument + i, n - i), density, integral;
    normal_of(argument, x, &density, &integral);
    store_up_to(result + i, x * integral, n - i);
    store_up_to(gradient + i, load_up_to(gradient + i, n - i) * vfma(x, density, integral), n - i);
  }
}

static void NAME(column_sums)(float *sums, const void *values, long ldx, long rows, long columns, bool accumulate) {
  const VALUE *x = values;
  if (!accumulate) memset(sums, 0, (size_t)columns * sizeof *sums);
  if (rows > HERO_SUMMED_ROWS) {
    float part[4 * LANES];
    for (long c = 0; c < columns; c += 4 * LANES) {
      long some = columns - c < 4 * LANES ? columns - c : 4 * LANES;
      double total[4 * LANES] = {0};
      for (long r = 0; r < rows; r += HERO_SUMMED_STRETCH) {
        long stretch = rows - r < HERO_SUMMED_STRETCH ? rows - r : HERO_SUMMED_STRETCH;
        NAME(column_sums)(part, x + r * ldx + c, ldx, stretch, some, false);
        for (long k = 0; k < some; k++) total[k] += part[k];
      }
      for (long k = 0; k < some; k++) sums[c + k] = (float)(sums[c + k] + total[k]);
    }
    return;
  }
  long c = 0;
  for (; c + 4 * LANES <= columns; c += 4 * LANES) {
    vf a0 = load(sums + c), a1 = load(sums + c + 16), a2 = load(sums + c + 32), a3 = load(sums + c + 48);
    for (long r = 0; r < rows; r++) {
      const VALUE *p = x + r * ldx + c;
      a0 += load(p); a1 += load(p + 16); a2 += load(p + 32); a3 += load(p + 48);
    }
    store(sums + c, a0); store(sums + c + 16, a1); store(sums + c + 32, a2); store(sums + c + 48, a3);
  }
  for (; c < columns; c += LANES) {
    vf a = load_up_to(sums + c, columns - c);
    for (long r = 0; r < rows; r++) a += load_up_to(x + r * ldx + c, columns - c);
    store_up_to(sums + c, a, columns - c);
  }
}

// Multiplies x[0 ..< columns] by the dropout factors of its row, in place: two groups at a time,
// whose chains of products run side by side.
INLINE EITHER void drop_row(VALUE *x, long row, long columns, const hero_dropout *drop) {
  for (long first = 0; first < columns; first += 2 * GROUP) {
    vf factors[2 * SLOTS];
    dropout_factors(factors, drop, row, first);
    if (first + GROUP < columns) dropout_factors(factors + SLOTS, drop, row, first + GROUP);
    for (int slot = 0; slot < 2 * SLOTS; slot++) {
      long column = first + slot * LANES;
      if (column >= columns) break;
      store_up_to(x + column, load_up_to(x + column, columns - column) * factors[slot], columns - column);
    }
  }
}
