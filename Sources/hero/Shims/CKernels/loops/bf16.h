// Conversions of bfloat16, the upper half of a float32, sixteen at a time. Floats are rounded to
// the nearest, ties to even.

typedef uint16_t vh __attribute__((ext_vector_type(16)));
typedef uint16_t vh32 __attribute__((ext_vector_type(32)));

INLINE vf widened(vh h) { return (vf)(__builtin_convertvector(h, vu) << 16); }

INLINE vh narrowed(vf v) {
#if defined(SET_BF16)
  return (vh)_mm512_cvtneps_pbh((__m512)v);
#else
  vu bits = (vu)v;
  vu nearest = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
  // A NaN stays a NaN, whatever its lower half holds.
  vi number = v == v;
  return __builtin_convertvector((nearest & (vu)number) | ((bits >> 16 | 0x40u) & ~(vu)number), vh);
#endif
}

// Converts floats to IEEE halves; false, and `to` is useless, if one of them is not itself a finite
// half.
static bool halve(uint16_t *to, const float *from, long n) {
  for (long start = 0; start < n; start += 4096) {
    vi exact = -1;
    for (long i = start; i < n && i < start + 4096; i += LANES) {
      vu bits = (vu)load_up_to(from + i, n - i), magnitude = bits & 0x7FFFFFFFu;
      vf size = (vf)magnitude;
      // Adding 0.5 aligns the last bit with the smallest half's.
      vu small = (vu)(size + 0.5f) - 0x3F000000u;
      vi is_small = size < 0x1p-14f;
      vi small_fits = (vu)(__builtin_convertvector(small, vf) * 0x1p-24f) == magnitude;
      vi fits = (magnitude & 0x1FFFu) == 0 & size <= 65504.0f;
      exact &= (is_small & small_fits) | (~is_small & fits);
      vu half = ((vu)is_small & small) | (~(vu)is_small & (magnitude - 0x38000000u) >> 13);
      vh h = __builtin_convertvector((bits >> 16 & 0x8000u) | (half & 0x7FFFu), vh);
      memcpy(to + i, &h, (size_t)(n - i < LANES ? n - i : LANES) * sizeof *to);
    }
    if (__builtin_reduce_and(exact) == 0) return false;
  }
  return true;
}

INLINE EITHER vf load(const hero_bf16 *p) { vh h; memcpy(&h, p, sizeof h); return widened(h); }
INLINE EITHER void store(hero_bf16 *p, vf v) { vh h = narrowed(v); memcpy(p, &h, sizeof h); }
INLINE EITHER vf load_part(const hero_bf16 *p, long n) {
  vh h = 0;
  memcpy(&h, p, (size_t)n * sizeof *p);
  return widened(h);
}
INLINE EITHER void store_part(hero_bf16 *p, vf v, long n) {
  vh h = narrowed(v);
  memcpy(p, &h, (size_t)n * sizeof *p);
}
INLINE EITHER vf load_up_to(const hero_bf16 *p, long n) { return n >= LANES ? load(p) : load_part(p, n); }
INLINE EITHER void store_up_to(hero_bf16 *p, vf v, long n) { if (n >= LANES) store(p, v); else store_part(p, v, n); }

// Returns a row to work on as floats: the row itself if it is of floats, else `room`.
INLINE EITHER float *workable(float *row, float *room) { (void)room; return row; }
INLINE EITHER float *workable(hero_bf16 *row, float *room) { (void)row; return room; }

// Returns a row as floats to read: the row itself, or a copy in `room`.
INLINE EITHER const float *readable(const float *row, float *room, long n) { (void)room, (void)n; return row; }
INLINE EITHER const float *readable(const hero_bf16 *row, float *room, long n) {
  for (long i = 0; i < n; i += LANES) store_up_to(room + i, load_up_to(row + i, n - i), n - i);
  return room;
}

// Copies a row as floats.
INLINE EITHER void take(float *to, const float *row, long n) { memcpy(to, row, (size_t)n * sizeof *to); }
INLINE EITHER void take(float *to, const hero_bf16 *row, long n) { readable(row, to, n); }

// Writes floats to where a row is kept, unless they lie there already.
INLINE EITHER void give(float *row, const float *from, long n) {
  if (row != from) memcpy(row, from, (size_t)n * sizeof *row);
}
INLINE EITHER void give(hero_bf16 *row, const float *from, long n) {
  for (long i = 0; i < n; i += LANES) store_up_to(row + i, load_up_to(from + i, n - i), n - i);
}

// Returns a vector as it reads back: rounded if the row is of bf16.
INLINE EITHER vf kept(const float *row, vf v) { (void)row; return v; }
INLINE EITHER vf kept(const hero_bf16 *row, vf v) { (void)row; return widened(narrowed(v)); }

// Computes the normal distribution's density and integral, as exactly as the type of `values`
// needs.
INLINE EITHER void normal_of(const float *values, vf x, vf *density, vf *integral) {
  (void)values;
  normal(x, density, integral);
}

// Exact to a part in 2,000, in the tail too: e^(-x^2/2) by a Taylor polynomial of degree 4, times
// Mills' ratio by a polynomial fitted on 0 ... 5. With a division it would take more than twice as
// long, a tenth of a product's time.
INLINE EITHER void normal_of(const hero_bf16 *values, vf x, vf *density, vf *integral) {
  (void)values;
  vf z = vabs(x);
  vf bounded = vmax(z * z * -0.72134752f, (vf)-126.0f);
  vf n = vround(bounded);
  vf r = (bounded - n) * 0.69314718f;
  vf e = 1.0f / 24;
  e = vfma(e, r, (vf)(1.0f / 6));
  e = vfma(e, r, (vf)0.5f);
  e = vfma(e, r, (vf)1.0f);
  e = vfma(e, r, (vf)1.0f);
  e *= (vf)((__builtin_convertvector(n, vi) + 127) << 23);
  vf near = vmin(z, (vf)5.0f);
  vf m = -2.499624e-05f;
  m = vfma(m, near, (vf)0.00056029647f);
  m = vfma(m, near, (vf)-0.0053523323f);
  m = vfma(m, near, (vf)0.028809359f);
  m = vfma(m, near, (vf)-0.09831325f);
  m = vfma(m, near, (vf)0.23022431f);
  m = vfma(m, near, (vf)-0.39419317f);
  m = vfma(m, near, (vf)0.49978939f);
  // The exponential of a NaN would be a number.
  vf tail = vselect(x == x, e * m, x);
  *integral = vselect(x >= 0.0f, 1.0f - tail, tail);
  *density = e * 0.39894228f;
}

static void widen(float *to, const hero_bf16 *from, long n) { take(to, from, n); }
static void narrow(hero_bf16 *to, const float *from, long n) { give(to, from, n); }

static void add_bf16(float *y, const hero_bf16 *x, long n) {
  for (long i = 0; i < n; i += LANES) store_up_to(y + i, load_up_to(y + i, n - i) + load_up_to(x + i, n - i), n - i);
}
