// Layer norm of a residual sum, with the dropouts around it.

static void norm(float *y, float *s, float *mean, float *inverse, const float *x, const float *residual,
                 const float *gamma, const float *beta, float epsilon, long first_row, long rows, long columns,
                 const hero_dropout *drop_in, const hero_dropout *drop_out) {
  for (long r = 0; r < rows; r++) {
    float *sum_row = s + r * columns, *out = y + r * columns;
    if (sum_row != x + r * columns) memcpy(sum_row, x + r * columns, (size_t)columns * sizeof *s);
    if (drops(drop_in)) drop_row(sum_row, first_row + r, columns, drop_in);
    vf total = 0;
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf v = load_up_to(sum_row + c, n);
      if (residual) {
        v += load_up_to(residual + r * columns + c, n);
        store_up_to(sum_row + c, v, n);
      }
      total += v;
    }
    float m = hsum(total) / (float)columns;
    vf squares = 0;
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf d = first_lanes(load_up_to(sum_row + c, n) - m, n);
      squares = vfma(d, d, squares);
    }
    float inv = 1.0f / sqrtf(hsum(squares) / (float)columns + epsilon);
    mean[r] = m;
    inverse[r] = inv;
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf hat = (load_up_to(sum_row + c, n) - m) * inv;
      store_up_to(out + c, vfma(hat, load_up_to(gamma + c, n), load_up_to(beta + c, n)), n);
    }
    if (drops(drop_out)) drop_row(out, first_row + r, columns, drop_out);
  }
}

// scratch: 2 * columns floats.
static void norm_backward(float *dx, bool accumulate_x, float *d_residual, bool accumulate_residual,
                          float *d_gamma, float *d_beta, const float *dy, const float *s, const float *mean,
                          const float *inverse, const float *gamma, long first_row, long rows, long columns,
                          const hero_dropout *drop_in, const hero_dropout *drop_out, float *scratch) {
  for (long r = 0; r < rows; r++) {
    const float *sum_row = s + r * columns, *grad = dy + r * columns;
    float m = mean[r], inv = inverse[r];
    if (drops(drop_out)) {
      memcpy(scratch, grad, (size_t)columns * sizeof *scratch);
      drop_row(scratch, first_row + r, columns, drop_out);
      grad = scratch;
    }
    vf along = 0, total = 0;
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf g = load_up_to(grad + c, n), hat = (load_up_to(sum_row + c, n) - m) * inv, w = g * load_up_to(gamma + c, n);
      along = vfma(w, hat, along);
      total += w;
      store_up_to(d_gamma + c, vfma(g, hat, load_up_to(d_gamma + c, n)), n);
      store_up_to(d_beta + c, load_up_to(d_beta + c, n) + g, n);
    }
    float mean_along = hsum(along) / (float)columns, mean_total = hsum(total) / (float)columns;
    if (!dx && !d_residual) continue;
    float *ds = scratch + columns;
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf hat = (load_up_to(sum_row + c, n) - m) * inv, w = load_up_to(grad + c, n) * load_up_to(gamma + c, n);
      vf d = (w - mean_total - hat * mean_along) * inv;
      if (d_residual) {
        float *to = d_residual + r * columns + c;
        store_up_to(to, accumulate_residual ? load_up_to(to, n) + d : d, n);
      }
      store_up_to(ds + c, d, n);
    }
    if (!dx) continue;
    if (drops(drop_in)) drop_row(ds, first_row + r, columns, drop_in);
    if (accumulate_x) add(dx + r * columns, ds, columns);
    else memcpy(dx + r * columns, ds, (size_t)columns * sizeof *dx);
  }
}
