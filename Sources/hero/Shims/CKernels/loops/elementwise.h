// Sums, biases, activations.

static void add(float *y, const float *x, long n) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + load(x + i));
  for (; i < n; i++) y[i] += x[i];
}

static void axpy(float *y, float factor, const float *x, long n) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, vfma((vf)factor, load(x + i), load(y + i)));
  for (; i < n; i++) y[i] += factor * x[i];
}

static void scale(float *y, float factor, long n) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) * factor);
  for (; i < n; i++) y[i] *= factor;
}

// Float sums over 4,096 elements, added up in double: a norm over 10⁸ gradients keeps seven digits.
static double sum_of_squares(const float *x, long n) {
  double total = 0;
  for (long from = 0; from < n; from += 4096) {
    long to = from + 4096 < n ? from + 4096 : n, i = from;
    vf a = 0, b = 0;
    for (; i + 2 * LANES <= to; i += 2 * LANES) {
      vf u = load(x + i), w = load(x + i + LANES);
      a = vfma(u, u, a);
      b = vfma(w, w, b);
    }
    for (; i < to; i += LANES) {
      vf u = load_up_to(x + i, to - i);
      a = vfma(u, u, a);
    }
    total += hsum(a + b);
  }
  return total;
}

static float sum(const float *x, long n) {
  vf a = 0;
  for (long i = 0; i < n; i += LANES) a += load_up_to(x + i, n - i);
  return hsum(a);
}

static float dot(const float *x, const float *y, long n) {
  vf a = 0;
  for (long i = 0; i < n; i += LANES) a = vfma(load_up_to(x + i, n - i), load_up_to(y + i, n - i), a);
  return hsum(a);
}

static void bias(float *y, const float *b, long rows, long columns) {
  for (long r = 0; r < rows; r++) add(y + r * columns, b, columns);
}

static void bias_relu(float *y, const float *b, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c += LANES) {
      float *p = y + r * columns + c;
      vf x = load_up_to(p, columns - c) + (b ? load_up_to(b + c, columns - c) : (vf)0);
      // Not a maximum: that would make 0 of NaN.
      store_up_to(p, vselect(x < 0.0f, (vf)0, x), columns - c);
    }
}

static void bias_gelu(float *pre, float *out, const float *b, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c, at = r * columns + c;
      vf x = load_up_to(pre + at, n) + (b ? load_up_to(b + c, n) : (vf)0), density, integral;
      normal(x, &density, &integral);
      store_up_to(pre + at, x, n);
      store_up_to(out + at, x * integral, n);
    }
}

static void relu_backward(float *dx, const float *dy, const float *y, long n) {
  for (long i = 0; i < n; i += LANES)
    store_up_to(dx + i, vselect(load_up_to(y + i, n - i) > 0.0f, load_up_to(dy + i, n - i), (vf)0), n - i);
}

static void gelu_backward(float *dx, const float *dy, const float *pre, long n) {
  for (long i = 0; i < n; i += LANES) {
    vf x = load_up_to(pre + i, n - i), density, integral;
    normal(x, &density, &integral);
    store_up_to(dx + i, load_up_to(dy + i, n - i) * vfma(x, density, integral), n - i);
  }
}

static void gelu_again(float *out, float *dy, const float *pre, long n) {
  for (long i = 0; i < n; i += LANES) {
    vf x = load_up_to(pre + i, n - i), density, integral;
    normal(x, &density, &integral);
    store_up_to(out + i, x * integral, n - i);
    store_up_to(dy + i, load_up_to(dy + i, n - i) * vfma(x, density, integral), n - i);
  }
}

static void column_sums(float *sums, const float *x, long ldx, long rows, long columns, bool accumulate) {
  if (!accumulate) memset(sums, 0, (size_t)columns * sizeof *sums);
  long c = 0;
  for (; c + 4 * LANES <= columns; c += 4 * LANES) {
    vf a0 = load(sums + c), a1 = load(sums + c + 16), a2 = load(sums + c + 32), a3 = load(sums + c + 48);
    for (long r = 0; r < rows; r++) {
      const float *p = x + r * ldx + c;
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

static void dropout(float *y, const float *x, long first_row, long rows, long columns, const hero_dropout *drop) {
  for (long r = 0; r < rows; r++) {
    if (y != x) memcpy(y + r * columns, x + r * columns, (size_t)columns * sizeof *y);
    if (drops(drop)) drop_row(y + r * columns, first_row + r, columns, drop);
  }
}
