// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), eight
// counters at a time. A word is the lower half of a lane of 64 bits, as its products want it; the
// upper half may hold anything.

typedef uint64_t vq __attribute__((ext_vector_type(8)));

INLINE void philox(vq c[4], vq k0, vq k1) {
  _Pragma("clang loop unroll(full)")
  for (int round = 0; round < 10; round++) {
    vq p0 = (c[0] & 0xFFFFFFFFu) * 0xD2511F53u, p1 = (c[2] & 0xFFFFFFFFu) * 0xCD9E8D57u;
    c[0] = p1 >> 32 ^ c[1] ^ k0;
    c[1] = p1;
    c[2] = p0 >> 32 ^ c[3] ^ k1;
    c[3] = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

// The columns of eight counters, and their vectors.
enum { GROUP = 64, SLOTS = GROUP / LANES };

// Computes the factors (0 or 1 / keep) of a row's columns from `first` on, a multiple of 64. The
// order of the counters lets one instruction a vector bring their words, two by two, into the order
// of the columns.
INLINE void dropout_factors(vf factors[SLOTS], const hero_dropout *drop, long row, long first) {
  static const vq order = {0, 2, 1, 3, 4, 6, 5, 7};
  vq eights = (vq)((uint64_t)first / HERO_DROPOUT_COLUMNS) + order;
  vq c[4] = {(vq)(uint64_t)row, (vq)(uint64_t)drop->stream, (vq)(uint64_t)drop->step, HERO_DROPOUT_WORD(eights)};
  philox(c, (vq)(uint64_t)drop->key[0], (vq)(uint64_t)drop->key[1]);
  vq low = (c[0] & 0xFFFFFFFFu) | c[1] << 32, high = (c[2] & 0xFFFFFFFFu) | c[3] << 32;
  vf keep = 65536.0f / (65536.0f - (float)drop->threshold);
#define SLOT(slot, a, b)                                                                                     \
  {                                                                                                          \
    vh bits = (vh)__builtin_shufflevector(low, high, a, 8 + a, b, 8 + b);                                     \
    factors[slot] = (vf)((vi)keep & (__builtin_convertvector(bits, vi) >= (int32_t)drop->threshold));         \
  }
  SLOT(0, 0, 2) SLOT(1, 1, 3) SLOT(2, 4, 6) SLOT(3, 5, 7)
#undef SLOT
}

INLINE bool drops(const hero_dropout *drop) { return drop && drop->threshold; }
