// An optimizer's moments as they are kept: float32, or bfloat16 that is rounded stochastically
// (hero_rounding.h).

// The elements of eight counters, whose random words are made at once.
enum { ROUNDED = 32 };

INLINE EITHER uint32_t bits_of(const float *p) { uint32_t bits; memcpy(&bits, p, sizeof bits); return bits; }
INLINE EITHER uint32_t bits_of(const hero_bf16 *p) { return p->bits; }

// Returns how many elements from `place` on, at most `rest`, one call of `draw_words` serves.
INLINE EITHER long drawn_of(const float *moments, long place, long rest) {
  (void)moments, (void)place;
  return rest;
}
INLINE EITHER long drawn_of(const hero_bf16 *moments, long place, long rest) {
  (void)moments;
  long count = ROUNDED - place % ROUNDED;
  return count < rest ? count : rest;
}

// Draws the words of the 32 elements that `place` is among; none for moments that are not rounded.
INLINE EITHER void draw_words(uint32_t words[ROUNDED], const float *moments, long place, const hero_adam *o) {
  (void)words, (void)moments, (void)place, (void)o;
}
INLINE EITHER void draw_words(uint32_t words[ROUNDED], const hero_bf16 *moments, long place, const hero_adam *o) {
  (void)moments;
  static const vq order = {0, 1, 2, 3, 4, 5, 6, 7};
  vq fours = (vq)((uint64_t)place / ROUNDED * 8) + order;
  vq c[4] = {fours, fours >> 32, (vq)(uint64_t)o->step, (vq)(uint64_t)HERO_ROUNDING_WORD};
  philox(c, (vq)(uint64_t)o->key[0], (vq)(uint64_t)o->key[1]);
  vq low = (c[0] & 0xFFFFFFFFu) | c[1] << 32, high = (c[2] & 0xFFFFFFFFu) | c[3] << 32;
  vq first = __builtin_shufflevector(low, high, 0, 8, 1, 9, 2, 10, 3, 11);
  vq last = __builtin_shufflevector(low, high, 4, 12, 5, 13, 6, 14, 7, 15);
  memcpy(words, &first, sizeof first);
  memcpy(words + LANES, &last, sizeof last);
}

// Returns the words of a vector's elements.
INLINE EITHER vu words_up_to(const float *moments, const uint32_t *words, long n) {
  (void)moments, (void)words, (void)n;
  return 0;
}
INLINE EITHER vu words_up_to(const hero_bf16 *moments, const uint32_t *words, long n) {
  (void)moments;
  vu v = 0;
  memcpy(&v, words, n >= LANES ? sizeof v : (size_t)n * sizeof *words);
  return v;
}

INLINE EITHER void keep_moments(float *at, vf x, vu random, long n) {
  (void)random;
  store_up_to(at, x, n);
}
INLINE EITHER void keep_moments(hero_bf16 *at, vf x, vu random, long n) {
  vu bits = (vu)x, size = bits & 0x7FFFFFFFu;
  vu added = random & (vu)(size < 0x7F7F0000u), quiet = (vu)(size > 0x7F800000u) & 0x400000u;
  vh h = __builtin_convertvector(((bits + added) | quiet) >> 16, vh);
  if (n >= LANES) memcpy(at, &h, sizeof h);
  else memcpy(at, &h, (size_t)n * sizeof *at);
}

enum { ADAM, ADAMAX, ADAMW };

// Returns the weights after an update by the gradients `d`, and updates the moments.
INLINE vf adapted(int kind, vf at, vf d, vf *first, vf *second, const hero_adam *o) {
  if (kind != ADAMW) d = vfma(at, (vf)o->weight_decay, d);
  *first = vfma(*first, (vf)o->beta1, d * (1 - o->beta1));
  if (kind == ADAMAX) {
    *second = vmax(*second * o->beta2, vabs(d) + o->epsilon);
    return at - o->step_size * *first / *second;
  }
  *second = vfma(*second, (vf)o->beta2, d * d * (1 - o->beta2));
  vf root = __builtin_elementwise_sqrt(*second);
  if (kind == ADAM) return at - o->step_size * *first / (root / o->learning_rate + o->epsilon);
  return (at - o->step_size * *first / (root + o->epsilon)) * (1.0f - o->learning_rate * o->weight_decay);
}
