// Adam's family over one run of parameters.

// Elements up to the end of a page of `moments`, of `rest` at most.
INLINE long page_of(const float *moments, long rest) {
  long count = (4096 - (long)((uintptr_t)moments & 4095)) / 4;
  return count < rest ? count : rest;
}

// Whether gradient and moments are all +0, so that moments stay what they are: a page of them that
// was never written takes no memory.
INLINE bool rests(const float *g, const float *m, const float *v, long n) {
  for (long i = 0; i < n; i += 64) {
    uint32_t any = 0, bits[3];
    for (long k = i; k < n && k < i + 64; k++) {
      memcpy(bits, g + k, 4), memcpy(bits + 1, m + k, 4), memcpy(bits + 2, v + k, 4);
      any |= bits[0] | bits[1] | bits[2];
    }
    if (any) return false;
  }
  return true;
}

// The reference's AdamW (optim/adamw.py): the decay uses the learning rate itself, after the
// update.
static void adamw(float *p, const float *g, float *m, float *v, long n, const hero_adam *o) {
  vf decay = 1.0f - o->learning_rate * o->weight_decay;
  for (long page; n > 0; p += page, g += page, m += page, v += page, n -= page) {
    page = page_of(m, n);
    bool stays = rests(g, m, v, page);
    for (long i = 0; i < page; i += LANES) {
      long rest = page - i;
      if (stays) {
        store_up_to(p + i, load_up_to(p + i, rest) * decay, rest);
        continue;
      }
      vf d = load_up_to(g + i, rest) * o->gradient_scale;
      vf first = vfma(load_up_to(m + i, rest), (vf)o->beta1, d * (1 - o->beta1));
      vf second = vfma(load_up_to(v + i, rest), (vf)o->beta2, d * d * (1 - o->beta2));
      vf moved = load_up_to(p + i, rest) - o->step_size * first / (__builtin_elementwise_sqrt(second) + o->epsilon);
      store_up_to(m + i, first, rest);
      store_up_to(v + i, second, rest);
      store_up_to(p + i, moved * decay, rest);
    }
  }
}

// torch.optim.Adam: the decay is part of the gradient; step_size holds lr / (1 - beta1^t), and the
// square root of the second moment is divided by sqrt(1 - beta2^t), which the caller has put into
// `learning_rate`.
static void adam(float *p, const float *g, float *m, float *v, long n, const hero_adam *o) {
  for (long page; n > 0; p += page, g += page, m += page, v += page, n -= page) {
    page = page_of(m, n);
    if (o->weight_decay == 0 && rests(g, m, v, page)) continue;
    for (long i = 0; i < page; i += LANES) {
      long rest = page - i;
      vf at = load_up_to(p + i, rest), d = vfma(at, (vf)o->weight_decay, load_up_to(g + i, rest) * o->gradient_scale);
      vf first = vfma(load_up_to(m + i, rest), (vf)o->beta1, d * (1 - o->beta1));
      vf second = vfma(load_up_to(v + i, rest), (vf)o->beta2, d * d * (1 - o->beta2));
      vf moved = at - o->step_size * first / (__builtin_elementwise_sqrt(second) / o->learning_rate + o->epsilon);
      store_up_to(m + i, first, rest);
      store_up_to(v + i, second, rest);
      store_up_to(p + i, moved, rest);
    }
  }
}

// torch.optim.Adamax: u is the running maximum of the gradient's size; step_size holds lr / (1 -
// beta1^t).
static void adamax(float *p, const float *g, float *m, float *u, long n, const hero_adam *o) {
  for (long i = 0; i < n; i += LANES) {
    long rest = n - i;
    vf at = load_up_to(p + i, rest), d = vfma(at, (vf)o->weight_decay, load_up_to(g + i, rest) * o->gradient_scale);
    vf first = vfma(load_up_to(m + i, rest), (vf)o->beta1, d * (1 - o->beta1));
    vf most = vmax(load_up_to(u + i, rest) * o->beta2, vabs(d) + o->epsilon);
    store_up_to(m + i, first, rest);
    store_up_to(u + i, most, rest);
    store_up_to(p + i, at - o->step_size * first / most, rest);
  }
}
