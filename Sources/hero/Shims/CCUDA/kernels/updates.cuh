// The update of all weights by Adam's family; it reads the gradients' norm on the device.

enum { UPDATE_ADAM, UPDATE_ADAMAX, UPDATE_ADAMW };

// Updates one weight and its moments by its gradient.
__device__ inline void adapt(const hero_update_arguments &a, const hero_slice &slice, float &value, float d, float &first, float &second) {
  if (a.kind != UPDATE_ADAMW) d = value * slice.weight_decay + d;
  first = first * a.beta1 + d * (1 - a.beta1);
  if (a.kind == UPDATE_ADAMAX) {
    second = fmaxf(second * a.beta2, fabsf(d) + a.epsilon);
    value -= slice.step_size * first / second;
    return;
  }
  second = second * a.beta2 + d * d * (1 - a.beta2);
  float root = sqrtf(second);
  if (a.kind == UPDATE_ADAM) {
    // `rate` holds the square root of the second moment's correction.
    value -= slice.step_size * first / (root / slice.rate + a.epsilon);
  } else {
    value -= slice.step_size * first / (root + a.epsilon);
    value *= 1 - slice.rate * slice.weight_decay;
  }
}

// Rounds to bfloat16 with 16 random bits, as hero_rounding.h does.
__device__ inline float rounded(float x, u32 random) {
  u32 bits = __float_as_uint(x), size = bits & 0x7FFFFFFFu;
  if (size < 0x7F7F0000u) bits += random;
  else if (size > 0x7F800000u) bits |= 0x400000u;
  return __uint_as_float(bits & 0xFFFF0000u);
}

__device__ inline Words rounding_words(const hero_update_arguments &a, u32 step, unsigned long long four) {
  return philox((u32)four, (u32)(four >> 32), step, HERO_ROUNDING_WORD, a.key[0], a.key[1]);
}

// Rounds the moments of four neighbours, the first of which is at `place` in the arena.
__device__ inline void round_moments(const hero_update_arguments &a, u32 step, unsigned long long place, Four &m, Four &v) {
  Words words = rounding_words(a, step, place / 4);
  if (place % 4) {
    Words next = rounding_words(a, step, place / 4 + 1);
    for (u32 skipped = place % 4; skipped > 0; skipped--) {
#pragma unroll
      for (int k = 0; k < 3; k++) words.w[k] = words.w[k + 1];
      words.w[3] = next.w[0];
#pragma unroll
      for (int k = 0; k < 3; k++) next.w[k] = next.w[k + 1];
    }
  }
#pragma unroll
  for (int k = 0; k < 4; k++) {
    m.x[k] = rounded(m.x[k], words.w[k] & 0xFFFFu);
    v.x[k] = rounded(v.x[k], words.w[k] >> 16);
  }
}

KERNEL update(const hero_update_arguments a) {
  float scale = 1;
  if (a.squares) {
    double norm = sqrt(*a.squares);
    // If the norm is not finite, the weights stay as they are.
    if (!(norm <= 1.7976931348623157e308)) return;
    if (a.limit > 0 && a.limit / (norm + 1e-6) < 1) scale = (float)(a.limit / (norm + 1e-6));
  }
  int low = 0, high = a.slice_count - 1;
  while (low < high) {
    int middle = (low + high + 1) / 2;
    if (a.slices[middle].first_block <= (long long)blockIdx.x) low = middle;
    else high = middle - 1;
  }
  hero_slice slice = a.slices[low];
  long long first = ((long long)blockIdx.x - slice.first_block) * HERO_UPDATE_STRETCH;
  long long last = first + HERO_UPDATE_STRETCH < slice.count ? first + HERO_UPDATE_STRETCH : slice.count;
  hero_view values = {a.values, 0}, copy = {a.copy, 1};
  long long start = slice.start + first, count = last - first;
  const float *gradients = slice.gradients + first;
  for (long long c = 4 * threadIdx.x; c < count; c += 4 * blockDim.x) {
    Four value = get_columns(values, start, c, count), d = get_columns(gradients, c, count);
    Four m = get_columns(a.first, start, c, count), v = get_columns(a.second, start, c, count);
#pragma unroll
    for (int k = 0; k < 4; k++) adapt(a, slice, value.x[k], d.x[k] * scale, m.x[k], v.x[k]);
    // The weights move by the moments as computed, before rounding.
    if (a.first.bf16) round_moments(a, slice.step, start + c, m, v);
    put_columns(a.first, start, c, count, m);
    put_columns(a.second, start, c, count, v);
    put_columns(values, start, c, count, value);
    if (a.copy) put_columns(copy, start, c, count, value);
  }
}
