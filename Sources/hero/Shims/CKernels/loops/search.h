// Search among stored rows: products with rows that have fewer bits than a float.

// x . row, the row being bfloat16 (the upper halves of floats), at any address.
static float bf16_dot(const float *x, const void *row, long n) {
  typedef uint16_t vh __attribute__((ext_vector_type(16)));
  const uint8_t *from = row;
  vf a = 0, b = 0;
  long i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    vh h, g;
    memcpy(&h, from + 2 * i, sizeof h);
    memcpy(&g, from + 2 * (i + LANES), sizeof g);
    a = vfma(load(x + i), (vf)(__builtin_convertvector(h, vu) << 16), a);
    b = vfma(load(x + i + LANES), (vf)(__builtin_convertvector(g, vu) << 16), b);
  }
  for (; i < n; i += LANES) {
    long some = n - i < LANES ? n - i : LANES;
    vh h = 0;
    memcpy(&h, from + 2 * i, (size_t)some * 2);
    a = vfma(load_up_to(x + i, n - i), (vf)(__builtin_convertvector(h, vu) << 16), a);
  }
  return hsum(a + b);
}

// x . row, the row being signed bytes.
static float byte_dot(const float *x, const int8_t *row, long n) {
  typedef int8_t vb __attribute__((ext_vector_type(16)));
  vf a = 0;
  for (long i = 0; i < n; i += LANES) {
    vb h = 0;
    memcpy(&h, row + i, (size_t)(n - i < LANES ? n - i : LANES));
    a = vfma(load_up_to(x + i, n - i), __builtin_convertvector(h, vf), a);
  }
  return hsum(a);
}

// For each of `rows` records of a float and `words` words of bits, the float times
// scale * (sum over planes k of 2^k * |bits & plane k|) + offset * |bits| - shift.
// planes: [4][words].
typedef uint64_t vw __attribute__((ext_vector_type(4)));

// Counts the set bits of each lane; clang before version 18 has no builtin for it.
INLINE vw set_bits(vw bits) {
#if __has_builtin(__builtin_elementwise_popcount)
  return __builtin_elementwise_popcount(bits);
#else
  vw counts;
  for (int i = 0; i < 4; i++) counts[i] = (uint64_t)__builtin_popcountll(bits[i]);
  return counts;
#endif
}

INLINE void sign_products_of(float *out, const uint8_t *from, long rows, long words, const uint64_t *planes,
                             float scale, float offset, float shift) {
  long stride = 4 + 8 * words;
  for (long r = 0; r < rows; r++, from += stride) {
    // The upper halves count ones, the lower halves add up the weighted sums.
    vw total = 0;
    uint64_t rest = 0;
    long w = 0;
    for (; w + 4 <= words; w += 4) {
      vw bits;
      memcpy(&bits, from + 4 + 8 * w, sizeof bits);
      total += set_bits(bits) << 32;
      for (int k = 0; k < 4; k++) {
        vw plane;
        memcpy(&plane, planes + k * words + w, sizeof plane);
        total += set_bits(bits & plane) << k;
      }
    }
    for (; w < words; w++) {
      uint64_t bits;
      memcpy(&bits, from + 4 + 8 * w, sizeof bits);
      rest += (uint64_t)__builtin_popcountll(bits) << 32;
      for (int k = 0; k < 4; k++) rest += (uint64_t)__builtin_popcountll(bits & planes[k * words + w]) << k;
    }
    uint64_t sums = rest + total.x + total.y + total.z + total.w;
    float factor;
    memcpy(&factor, from, sizeof factor);
    out[r] = factor * (scale * (float)(uint32_t)sums + offset * (float)(sums >> 32) - shift);
  }
}

#if defined(SET_WIDE)
// Uses the instruction that counts bits in vectors, which not all processors with AVX-512 have.
__attribute__((target(SET_FEATURES ",avx512vpopcntdq")))
static void sign_products_counting(float *out, const uint8_t *from, long rows, long words, const uint64_t *planes,
                                   float scale, float offset, float shift) {
  sign_products_of(out, from, rows, words, planes, scale, offset, shift);
}
#endif

static void sign_products(float *out, const void *records, long rows, long words, const uint64_t *planes, float scale,
                          float offset, float shift) {
#if defined(SET_WIDE)
  if (__builtin_cpu_supports("avx512vpopcntdq")) {
    sign_products_counting(out, records, rows, words, planes, scale, offset, shift);
    return;
  }
#endif
  sign_products_of(out, records, rows, words, planes, scale, offset, shift);
}
