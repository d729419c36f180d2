// Searching among stored rows: products with what is stored in fewer bits than a float has.

// x . row, the row being bfloat16 (the upper halves of floats), at any address.
static float brain_dot(const float *x, const void *row, long n) {
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
// planes: [words][4].
static void sign_products(float *out, const void *records, long rows, long words, const uint64_t *planes, float scale,
                          float offset, float shift) {
  const uint8_t *from = records;
  long stride = 4 + 8 * words;
  for (long r = 0; r < rows; r++, from += stride) {
    int64_t ones = 0, s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (long w = 0; w < words; w++) {
      uint64_t bits;
      memcpy(&bits, from + 4 + 8 * w, sizeof bits);
      const uint64_t *p = planes + 4 * w;
      ones += __builtin_popcountll(bits);
      s0 += __builtin_popcountll(bits & p[0]);
      s1 += __builtin_popcountll(bits & p[1]);
      s2 += __builtin_popcountll(bits & p[2]);
      s3 += __builtin_popcountll(bits & p[3]);
    }
    float factor;
    memcpy(&factor, from, sizeof factor);
    out[r] = factor * (scale * (float)(s0 + 2 * s1 + 4 * s2 + 8 * s3) + offset * (float)ones - shift);
  }
}
