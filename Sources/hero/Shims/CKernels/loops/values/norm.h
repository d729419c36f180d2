// Layer norm of a residual sum, with the dropouts around it.

// scratch: `columns` floats. The statistics are those of the sum as it is stored.
static void NAME(norm)(void *y, void *s, float *mean, float *inverse, const void *x, const void *residual,
                       const float *gamma, const float *beta, float epsilon, long first_row, long rows, long columns,
                       const hero_dropout *drop_in, const hero_dropout *drop_out, float *scratch) {
  for (long r = 0; r < rows; r++) {
    VALUE *sum_row = (VALUE *)s + r * columns, *out = (VALUE *)y + r * columns;
    const VALUE *from = (const VALUE *)x + r * columns;
    const VALUE *other = residual ? (const VALUE *)residual + r * columns : NULL;
    float *row = workable(sum_row, scratch);
    if ((const void *)row != from) take(row, from, columns);
    if (drops(drop_in)) drop_row(row, first_row + r, columns, drop_in);
    vf total = 0;
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf v = load_up_to(row + c, n);
      if (other) v += load_up_to(other + c, n);
      v = kept(sum_row, v);
      if (other || drops(drop_in)) store_up_to(row + c, v, n);
      total += v;
    }
    give(sum_row, row, columns);
    float m = hsum(total) / (float)columns;
    vf squares = 0;
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf d = first_lanes(load_up_to(row + c, n) - m, n);
      squares = vfma(d, d, squares);
    }
    float inv = 1.0f / sqrtf(hsum(squares) / (float)columns + epsilon);
    mean[r] = m;
    inverse[r] = inv;
    float *result = workable(out, row);
    for (long c = 0; c < columns; c += LANES) {
      long n = columns - c;
      vf hat = (load_up_to(row + c, n) - m) * inv;
      store_up_to(result + c, vfma(hat, load_up_to(gamma + c, n), load_up_to(beta + c, n)), n);
    }
    if (drops(drop_out)) drop_row(result, first_row + r, columns, drop_out);
    give(out, result, columns);
  }
}

// scratch: 2 * columns floats.
static void NAME(norm_backward)(void *dx, bool accumulate_x, void *d_residual, bool accumulate_residual,
                                float *d_gamma, float *d_beta, const void *dy, const void *s, const float *mean,
                                const float *inverse, const float *gamma, long first_row, long rows, long columns,
                                const hero_dropout *drop_in, const hero_dropout *drop_out, float *scratch) {
  for (long r = 0; r < rows; r++) {
    const VALUE *sum_row = (const VALUE *)s + r * columns, *upper = (const VALUE *)dy + r * columns;
    const float *grad;
    float m = mean[r], inv = inverse[r];
    if (drops(drop_out)) {
      take(scratch, upper, columns);
      drop_row(scratch, first_row + r, columns, drop_out);
      grad = scratch;
    } else {
      grad = readable(upper, scratch, columns);
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
        VALUE *to = (VALUE *)d_residual + r * columns + c;
        store_up_to(to, accumulate_residual ? load_up_to(to, n) + d : d, n);
      }
      store_up_to(ds + c, d, n);
    }
    if (!dx) continue;
    VALUE *to = (VALUE *)dx + r * columns;
    if (drops(drop_in)) drop_row(ds, first_row + r, columns, drop_in);
    if (accumulate_x)
      for (long c = 0; c < columns; c += LANES)
        store_up_to(to + c, load_up_to(to + c, columns - c) + load_up_to(ds + c, columns - c), columns - c);
    else give(to, ds, columns);
  }
}
