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

// Sums 4,096 elements at a time in float and adds these sums in double: a norm over 10⁸ gradients
// keeps seven digits.
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
      // No maximum here: it would turn NaN into 0.
      store_up_to(p, vselect(x < 0.0f, (vf)0, x), columns - c);
    }
}

static void bias_quick_gelu(float *y, const float *b, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c += LANES) {
      float *p = y + r * columns + c;
      vf x = load_up_to(p, columns - c) + (b ? load_up_to(b + c, columns - c) : (vf)0);
      store_up_to(p, quick_gelu(x), columns - c);
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
