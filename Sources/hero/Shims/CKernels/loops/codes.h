// Estimates of products with rows from codes of one and two bits an element.

// Sums of bits are sliced by bit: bit i of a frame's sum is in the i-th of HERO_PLANE_LEVELS
// planes.
typedef uint64_t vplane __attribute__((ext_vector_type(REGISTER_LANES / 2)));

INLINE vplane load_plane(const uint8_t *p) { vplane v; memcpy(&v, p, sizeof v); return v; }
INLINE void store_plane(uint8_t *p, vplane v) { memcpy(p, &v, sizeof v); }

// Adds three bits: returns the upper bit of the sum and leaves the lower one in `low`.
INLINE vplane add_three(vplane *low, vplane b, vplane c) {
  vplane a = *low, differ = a ^ b;
  *low = differ ^ c;
  return (a & b) | (differ & c);
}

// Adds sixteen planes to the sums from their place on by a tree of sums of three (Harley and Seal).
// Meanwhile it prefetches the `next` planes, which lie in runs too short for the processor to
// foresee.
static void add_planes(uint8_t sums[][HERO_BLOCK_FRAMES / 8], long levels, long place,
                       const uint8_t *const planes[16], const uint8_t *const next[16],
                       uint64_t inversion, long bytes) {
  vplane flip = (vplane)inversion;
  for (long i = 0; i < bytes; i += (long)sizeof(vplane)) {
    if (i % 64 == 0)
      for (int j = 0; j < 16; j++) __builtin_prefetch(next[j] + i);
    vplane one = load_plane(sums[place] + i), two = load_plane(sums[place + 1] + i);
    vplane four = load_plane(sums[place + 2] + i), eight = load_plane(sums[place + 3] + i);
    vplane eights[2];
    for (int half = 0; half < 2; half++) {
      vplane fours[2];
      for (int quarter = 0; quarter < 2; quarter++) {
        const uint8_t *const *p = planes + 8 * half + 4 * quarter;
        vplane a = add_three(&one, load_plane(p[0] + i) ^ flip, load_plane(p[1] + i) ^ flip);
        vplane b = add_three(&one, load_plane(p[2] + i) ^ flip, load_plane(p[3] + i) ^ flip);
        fours[quarter] = add_three(&two, a, b);
      }
      eights[half] = add_three(&four, fours[0], fours[1]);
    }
    vplane carry = add_three(&eight, eights[0], eights[1]);
    store_plane(sums[place] + i, one);
    store_plane(sums[place + 1] + i, two);
    store_plane(sums[place + 2] + i, four);
    store_plane(sums[place + 3] + i, eight);
    for (long level = place + 4; level < levels; level++) {
      vplane sum = load_plane(sums[level] + i);
      store_plane(sums[level] + i, sum ^ carry);
      carry &= sum;
    }
  }
}

static void plane_estimates(float *out, const void *block, long stride, long first, long frames,
                            const hero_plane_query *query) {
  typedef uint16_t vh __attribute__((ext_vector_type(16)));
  // The planes that stand for HERO_NO_PLANE, in plain and in inverted groups.
  static const uint8_t none[HERO_BLOCK_FRAMES / 8], all[HERO_BLOCK_FRAMES / 8] = {[0 ... HERO_BLOCK_FRAMES / 8 - 1] = 0xff};
  uint8_t sums[HERO_PLANE_LEVELS + 4][HERO_BLOCK_FRAMES / 8];
  long levels = query->levels, bytes = frames / 8;
  for (long level = 0; level < HERO_PLANE_LEVELS + 4; level++) memset(sums[level], 0, (size_t)bytes);
  const uint8_t *planes[2][16];
  for (long group = 0; group <= query->groups; group++) {
    const uint8_t **own = planes[group % 2], **before = planes[(group + 1) % 2];
    for (int j = 0; j < 16; j++) {
      uint32_t plane = group < query->groups ? query->planes[16 * group + j] : HERO_NO_PLANE;
      own[j] = plane != HERO_NO_PLANE ? (const uint8_t *)block + (32 + plane) * stride + first / 8
               : group < query->groups && query->inverted[group] ? all : none;
    }
    if (group > 0)
      add_planes(sums, levels, query->places[group - 1], before, own,
                 query->inverted[group - 1] ? ~(uint64_t)0 : 0, bytes);
  }
  const vh bits = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
  const uint8_t *factors = (const uint8_t *)block + 2 * first;
  for (long r = 0; r < frames; r += LANES) {
    vh sum = 0, factor;
    for (long level = levels - 1; level >= 0; level--) {
      uint16_t word;
      memcpy(&word, sums[level] + r / 8, sizeof word);
      sum += sum - (vh)(((vh)word & bits) == bits);
    }
    memcpy(&factor, factors + 2 * r, sizeof factor);
    vf value = __builtin_convertvector(__builtin_convertvector(sum, vi), vf) * query->scale - query->shift;
    store(out + r, (vf)(__builtin_convertvector(factor, vu) << 16) * value + query->centre);
  }
}

static long reaching(uint32_t *numbers, const float *x, long n, float least) {
  typedef _Bool vbool __attribute__((ext_vector_type(16)));
  long count = 0;
  for (long i = 0; i < n; i += 4 * LANES) {
    uint64_t bits = 0;
    for (long part = i; part < n && part < i + 4 * LANES; part += LANES) {
      vbool reached = __builtin_convertvector(load_up_to(x + part, n - part) >= least, vbool);
      uint16_t some;
      memcpy(&some, &reached, sizeof some);
      if (n - part < LANES) some &= (uint16_t)((1u << (n - part)) - 1);
      bits |= (uint64_t)some << (part - i);
    }
    for (; bits; bits &= bits - 1) numbers[count++] = (uint32_t)(i + __builtin_ctzll(bits));
  }
  return count;
}

// codes . query over groups of 128 elements.
INLINE int32_t code_dot(const uint8_t *codes, long groups, const int8_t *query) {
#if defined(SET_FUSES) && defined(__x86_64__)
  __m256i sum = _mm256_setzero_si256();
  const __m256i three = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
  for (long g = 0; g < groups; g++) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(codes + 32 * g)), products = _mm256_setzero_si256();
    for (int k = 0; k < 4; k++) {
      __m256i some = _mm256_and_si256(_mm256_srli_epi16(bytes, 2 * k), three);
      __m256i q = _mm256_loadu_si256((const __m256i *)(query + 128 * g + 32 * k));
      // At most 4 * 2 * 3 * 127, which sixteen bits hold.
      products = _mm256_add_epi16(products, _mm256_maddubs_epi16(some, q));
    }
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(products, ones));
  }
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
#else
  typedef uint8_t vb __attribute__((ext_vector_type(16)));
  typedef int8_t vq __attribute__((ext_vector_type(16)));
  typedef int16_t vs __attribute__((ext_vector_type(16)));
  vi sum = 0;
  for (long g = 0; g < groups; g++)
    for (int half = 0; half < 2; half++) {
      vb bytes;
      memcpy(&bytes, codes + 32 * g + 16 * half, sizeof bytes);
      vs products = 0;
      for (int k = 0; k < 4; k++) {
        vq q;
        memcpy(&q, query + 128 * g + 32 * k + 16 * half, sizeof q);
        products += __builtin_convertvector((bytes >> (vb)(uint8_t)(2 * k)) & (vb)3, vs) * __builtin_convertvector(q, vs);
      }
      sum += __builtin_convertvector(products, vi);
    }
  return __builtin_reduce_add(sum);
#endif
}

static void code_estimates(float *out, const void *records, const void *factors, const uint32_t *numbers, long count,
                           long groups, const int8_t *query, float scale, float shift, float centre) {
  // The records AHEAD are prefetched whole. Of those FAR_AHEAD only the first bytes are, so that
  // their pages are known by then.
  enum { AHEAD = 8, FAR_AHEAD = 24 };
  const uint8_t *from = records;
  long stride = 32 * groups;
  for (long i = 0; i < count; i++) {
    if (i + FAR_AHEAD < count) __builtin_prefetch(from + numbers[i + FAR_AHEAD] * stride);
    if (i + AHEAD < count)
      for (long b = 0; b < stride; b += 64) __builtin_prefetch(from + numbers[i + AHEAD] * stride + b);
    uint16_t bits;
    memcpy(&bits, (const uint8_t *)factors + 2 * (long)numbers[i], sizeof bits);
    uint32_t word = (uint32_t)bits << 16;
    float factor;
    memcpy(&factor, &word, sizeof factor);
    out[i] = factor * ((float)code_dot(from + numbers[i] * stride, groups, query) * scale - shift) + centre;
  }
}
