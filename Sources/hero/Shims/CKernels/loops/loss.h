// Pieces of the softmax losses.

static float log_sum_exp(const float *x, long columns) {
  float top = -INFINITY;
  long c = 0;
  if (columns >= LANES) {
    vf most = load(x);
    for (c = LANES; c + LANES <= columns; c += LANES) most = vmax(most, load(x + c));
    top = hmax(most);
  }
  for (; c < columns; c++) top = x[c] > top ? x[c] : top;
  vf total = 0;
  for (c = 0; c + LANES <= columns; c += LANES) total += vexp(load(x + c) - top);
  float sum_of_rest = 0;
  for (; c < columns; c++) sum_of_rest += expf(x[c] - top);
  return top + logf(hsum(total) + sum_of_rest);
}

static void exp_shift_scale(float *x, float shift, float factor, long n) {
  for (long i = 0; i < n; i += LANES) store_up_to(x + i, vexp(load_up_to(x + i, n - i) - shift) * factor, n - i);
}
