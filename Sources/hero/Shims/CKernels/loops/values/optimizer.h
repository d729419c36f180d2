// Adam's family over one run of parameters, with moments of VALUE.

// Returns the number of elements up to the end of a page of `moments`, at most `rest`.
INLINE EITHER long page_of(const VALUE *moments, long rest) {
  long count = (4096 - (long)((uintptr_t)moments & 4095)) / (long)sizeof *moments;
  return count < rest ? count : rest;
}

// Returns whether gradient and moments are all +0, so that the moments do not change: a page of
// them that was never written takes no memory.
INLINE EITHER bool rests(const float *g, const VALUE *m, const VALUE *v, long n) {
  for (long i = 0; i < n; i += 64) {
    uint32_t any = 0;
    for (long k = i; k < n && k < i + 64; k++) any |= bits_of(g + k) | bits_of(m + k) | bits_of(v + k);
    if (any) return false;
  }
  return true;
}

INLINE EITHER void adapt(int kind, float *p, const float *g, VALUE *m, VALUE *v, long place, long n, const hero_adam *o) {
  // Weights with neither gradient nor moments move by their decay alone. AdamW's decay is a factor,
  // the others' a gradient, and Adamax's maximum is never below epsilon.
  bool may_rest = kind == ADAMW || (kind == ADAM && o->weight_decay == 0);
  uint32_t words[ROUNDED];
  for (long page; n > 0; p += page, g += page, m += page, v += page, place += page, n -= page) {
    page = page_of(m, n);
    if (may_rest && rests(g, m, v, page)) {
      if (kind == ADAMW) scale(p, 1.0f - o->learning_rate * o->weight_decay, page);
      continue;
    }
    for (long start = 0, count; start < page; start += count) {
      count = drawn_of(m, place + start, page - start);
      draw_words(words, m, place + start, o);
      const uint32_t *own = words + (place + start) % ROUNDED;
      for (long i = start; i < start + count; i += LANES) {
        long rest = start + count - i;
        vu random = words_up_to(m, own + (i - start), rest);
        vf first = load_up_to(m + i, rest), second = load_up_to(v + i, rest);
        vf d = load_up_to(g + i, rest) * o->gradient_scale;
        store_up_to(p + i, adapted(kind, load_up_to(p + i, rest), d, &first, &second, o), rest);
        keep_moments(m + i, first, random & 0xFFFFu, rest);
        keep_moments(v + i, second, random >> 16, rest);
      }
    }
  }
}

// The reference's AdamW (optim/adamw.py): the decay uses the learning rate itself, after the
// update.
static void NAME(adamw)(float *p, const float *g, void *m, void *v, long place, long n, const hero_adam *o) {
  adapt(ADAMW, p, g, (VALUE *)m, (VALUE *)v, place, n, o);
}

// torch.optim.Adam: the decay is part of the gradient; step_size holds lr / (1 - beta1^t), and the
// square root of the second moment is divided by sqrt(1 - beta2^t), which the caller has put into
// `learning_rate`.
static void NAME(adam)(float *p, const float *g, void *m, void *v, long place, long n, const hero_adam *o) {
  adapt(ADAM, p, g, (VALUE *)m, (VALUE *)v, place, n, o);
}

// torch.optim.Adamax: v is the running maximum of the gradient's size; step_size holds lr / (1 -
// beta1^t).
static void NAME(adamax)(float *p, const float *g, void *m, void *v, long place, long n, const hero_adam *o) {
  adapt(ADAMAX, p, g, (VALUE *)m, (VALUE *)v, place, n, o);
}
