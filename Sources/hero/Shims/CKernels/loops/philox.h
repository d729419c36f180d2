// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), sixteen
// counters at a time.

INLINE void multiply(vu a, uint32_t b, vu *high, vu *low) {
  vu64 product = __builtin_convertvector(a, vu64) * (uint64_t)b;
  *high = __builtin_convertvector(product >> 32, vu);
  *low = a * b;
}

INLINE void philox(vu c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    vu h0, l0, h1, l1;
    multiply(c[0], 0xD2511F53u, &h0, &l0);
    multiply(c[2], 0xCD9E8D57u, &h1, &l1);
    c[0] = h1 ^ c[1] ^ k0;
    c[1] = l1;
    c[2] = h0 ^ c[3] ^ k1;
    c[3] = l0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

enum { GROUP = 128, SLOTS = 8 };

// The factors (0 or 1 / keep) of one group of 128 elements, by its place in two counter words.
INLINE void dropout_factors(vf factors[SLOTS], const hero_dropout *drop, long place, long part) {
  static const vu lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  vu c[4] = {(uint32_t)(place * LANES) + lanes, drop->stream, drop->step, 0xD20Bu | (uint32_t)part << 16};
  philox(c, drop->key[0], drop->key[1]);
  vf keep = 65536.0f / (65536.0f - (float)drop->threshold);
  for (int slot = 0; slot < SLOTS; slot++) {
    vu bits = (slot & 1) ? c[slot / 2] >> 16 : c[slot / 2] & 0xFFFFu;
    factors[slot] = (vf)((vi)keep & (vi)(bits >= drop->threshold));
  }
}

INLINE bool drops(const hero_dropout *drop) { return drop && drop->threshold; }
