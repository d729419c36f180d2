// Operations on rows: a block takes one row, or several.

KERNEL gather_sum(const hero_gather_arguments a) {
  long long row = blockIdx.x, start = row * a.columns;
  long long from[4];
  for (int t = 0; t < 4; t++) {
    long long index = t < a.term_count ? (a.terms[t].indices ? (long long)a.terms[t].indices[row] : row) : -1;
    from[t] = index < 0 ? -1 : index * a.columns;
  }
  for (long long c = 4 * threadIdx.x; c < a.columns; c += 4 * blockDim.x) {
    long long width = a.columns - c < 4 ? a.columns - c : 4;
    Four sum = {{0, 0, 0, 0}};
    if (width == 4) {
      if (a.accumulate) sum = get_four(a.out, start + c);
      for (int t = 0; t < 4; t++) {
        if (from[t] < 0) continue;
        Four x = get_four(a.terms[t].table, from[t] + c);
        for (int k = 0; k < 4; k++) sum.x[k] += x.x[k];
      }
      put_four(a.out, start + c, sum);
    } else {
      for (long long k = c; k < c + width; k++) {
        float x = a.accumulate ? get(a.out, start + k) : 0.0f;
        for (int t = 0; t < 4; t++)
          if (from[t] >= 0) x += get(a.terms[t].table, from[t] + k);
        put(a.out, start + k, x);
      }
    }
  }
}

// Counts how often each index occurs. Whole numbers may be added in any order.
KERNEL scatter_count(const hero_scatter_arguments a) {
  long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (row < a.rows && a.indices[row] >= 0) atomicAdd(a.uses + a.indices[row], 1);
}

// Adds a row whose index occurs only once straight to its target. Of the rows of a stretch that
// share an index, the first is the leader: it adds them all up for scatter_add. If there is one
// stretch only (`uses` is missing then), the leader adds the sum to the target itself.
KERNEL scatter_parts(const hero_scatter_arguments a) {
  __shared__ int indices[HERO_SCATTER_STRETCH];
  long long row = blockIdx.x;
  int index = a.indices[row];
  if (!a.uses && index < 0) return;
  bool isAlone = a.uses && index >= 0 && a.uses[index] == 1;
  if (index < 0 || isAlone) {
    if (threadIdx.x == 0) a.leaders[row] = -1;
    if (!isAlone) return;
    for (long long c = 4 * threadIdx.x; c < a.columns; c += 4 * blockDim.x) {
      Four x = get_columns(a.from, row * a.columns, c, a.columns);
      put_gradient(a.to, true, index * a.columns, c, a.columns, x);
    }
    return;
  }
  long long first = row / HERO_SCATTER_STRETCH * HERO_SCATTER_STRETCH;
  int count = (int)(a.rows - first < HERO_SCATTER_STRETCH ? a.rows - first : HERO_SCATTER_STRETCH);
  int own = (int)(row - first), before = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    indices[i] = a.indices[first + i];
    before |= i < own && indices[i] == index;
  }
  bool leads = block_sum(before) == 0;
  if (a.uses && threadIdx.x == 0) {
    a.leaders[row] = leads ? index : -1;
    if (leads) {
      atomicAdd(a.leads + index, 1);
      // The largest of these belongs to the first row.
      atomicMax(a.firsts + index, (int)(a.rows - row));
    }
  }
  if (!leads) return;
  for (long long c = 4 * threadIdx.x; c < a.columns; c += 4 * blockDim.x) {
    Four sum = {{0, 0, 0, 0}};
    for (int i = own; i < count; i++) {
      if (indices[i] != index) continue;
      Four x = get_columns(a.from, (first + i) * a.columns, c, a.columns);
      for (int k = 0; k < 4; k++) sum.x[k] += x.x[k];
    }
    hero_view parts = {a.parts, 0};
    if (a.uses) put_columns(parts, row * a.columns, c, a.columns, sum);
    else put_gradient(a.to, true, index * a.columns, c, a.columns, sum);
  }
}

// The first leader of an index adds the stretches' sums to the target row; each warp takes 128
// columns at a time.
KERNEL scatter_add(const hero_scatter_arguments a) {
  long long row = blockIdx.x;
  int index = a.leaders[row], lane = threadIdx.x % 32;
  if (index < 0 || a.firsts[index] != (int)(a.rows - row)) return;
  hero_view parts = {a.parts, 0};
  for (long long base = threadIdx.x / 32 * 128; base < a.columns; base += 4 * blockDim.x) {
    long long c = base + 4 * lane;
    Four sum = {{0, 0, 0, 0}};
    int left = a.leads[index];
    for (long long start = row; left > 0; start += 512) {
      u32 hits[16];
      int leaders[16];
      // All reads begin before the first is used.
#pragma unroll
      for (int k = 0; k < 16; k++) {
        long long r = start + 32 * k + lane;
        leaders[k] = r < a.rows ? a.leaders[r] : -1;
      }
#pragma unroll
      for (int k = 0; k < 16; k++) hits[k] = __ballot_sync(0xFFFFFFFFu, leaders[k] == index);
#pragma unroll
      for (int k = 0; k < 16; k++)
        for (u32 rest = hits[k]; rest != 0; rest &= rest - 1) {
          Four x = get_columns(parts, (start + 32 * k + __ffs((int)rest) - 1) * a.columns, c, a.columns);
          for (int e = 0; e < 4; e++) sum.x[e] += x.x[e];
          left--;
        }
    }
    put_gradient(a.to, true, index * a.columns, c, a.columns, sum);
  }
}

KERNEL transpose(const hero_transpose_arguments a) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a.rows * a.columns) return;
  put(a.out, i % a.columns * a.rows + i / a.columns, get(a.x, i));
}

// The `units` threads of a line, which are whole warps, share a norm's row; a block has several
// lines. A thread has one or two groups of eight neighbouring columns. One access reads eight of
// bfloat16, and one counter of dropout serves them.
template <int eights> struct NormRow {
  Eight x[eights];

  template <class Body> __device__ void for_each(Body body) {
#pragma unroll
    for (int n = 0; n < eights; n++)
#pragma unroll
      for (int k = 0; k < 8; k++) body(n, k, x[n].x[k]);
  }

  __device__ void clear() {
    for_each([](int, int, float &y) { y = 0; });
  }
};

// The place of a thread's elements; those of a missing row lie beyond its end.
struct NormPlace {
  u32 unit, units, line, columns;
  long long row, start;

  __device__ NormPlace(u32 units) : unit(threadIdx.x % units), units(units), line(threadIdx.x / units) {}

  __device__ void go(long long to, long long last, long long width) {
    row = to;
    start = row * width;
    columns = row < last ? (u32)width : 0;
  }

  __device__ u32 eight(int n) const { return unit + n * units; }
  __device__ u32 column(int n) const { return HERO_DROPOUT_COLUMNS * eight(n); }
};

template <int eights> struct NormAsked {
  Raw raw[eights];

  __device__ NormAsked(const hero_view &v, const NormPlace &at) {
#pragma unroll
    for (int n = 0; n < eights; n++) raw[n] = ask(v, at.start, at.column(n), at.columns);
  }

  __device__ NormRow<eights> row() const {
    NormRow<eights> row;
#pragma unroll
    for (int n = 0; n < eights; n++) row.x[n] = received(raw[n]);
    return row;
  }
};

// Writes a row, or adds it to what is there; `row` becomes what reads back.
template <int eights>
__device__ inline void put_row(const hero_view &v, const NormPlace &at, NormRow<eights> &row, bool accumulate = false) {
  if (accumulate) {
    NormRow<eights> before = NormAsked<eights>(v, at).row();
    row.for_each([&](int n, int k, float &y) { y += before.x[n].x[k]; });
  }
#pragma unroll
  for (int n = 0; n < eights; n++) row.x[n] = put_eight(v, at.start, at.column(n), at.columns, row.x[n]);
}

// Returns a thread's elements of a vector of weights.
template <int eights> __device__ inline NormRow<eights> get_weights(const float *from, NormPlace at, long long columns) {
  hero_view view = {(void *)from, 0};
  at.go(0, 1, columns);
  return NormAsked<eights>(view, at).row();
}

template <int eights> __device__ inline void drop_row(const hero_dropout &drop, const NormPlace &at, NormRow<eights> &row) {
  if (!drop.threshold) return;
#pragma unroll
  for (int n = 0; n < eights; n++) {
    if (at.column(n) >= at.columns) break;
    Words words = drop_words(drop, (u32)at.row, at.eight(n));
#pragma unroll
    for (int k = 0; k < HERO_DROPOUT_COLUMNS; k++) row.x[n].x[k] *= drop_half(drop, words.w[k / 2], k % 2);
  }
}

// Returns the sums of two numbers over a line to each of its threads. Two tables take turns, so
// that one barrier suffices.
struct Sums { float a, b; };

__device__ inline Sums line_sums(Sums own, const NormPlace &at, int turn) {
  __shared__ Sums parts[2][32];
  own.a = warp_sum(own.a);
  own.b = warp_sum(own.b);
  if (at.units == 32) return own;
  if (threadIdx.x % 32 == 0) parts[turn][threadIdx.x / 32] = own;
  __syncthreads();
  Sums total = {0, 0};
  for (u32 warp = at.line * (at.units / 32); warp < (at.line + 1) * (at.units / 32); warp++) {
    total.a += parts[turn][warp].a;
    total.b += parts[turn][warp].b;
  }
  return total;
}

template <int eights> __device__ inline void norm_rows(const hero_norm_arguments &a) {
  NormPlace at(a.units);
  at.go((long long)blockIdx.x * (blockDim.x / at.units) + at.line, a.rows, a.columns);
  NormAsked<eights> asked(a.x, at);
  Sums sums = {0, 0};
  NormRow<eights> x;
  if (a.residual.data) {
    NormRow<eights> other = NormAsked<eights>(a.residual, at).row();
    x = asked.row();
    drop_row(a.inner, at, x);
    x.for_each([&](int n, int k, float &y) { y += other.x[n].x[k]; });
  } else {
    x = asked.row();
    drop_row(a.inner, at, x);
  }
  if (a.keeps_sum) put_row(a.sum, at, x);
  x.for_each([&](int, int, float &y) { sums.a += y; });
  float mean = line_sums(sums, at, 0).a / (float)a.columns;
  sums.a = 0;
  x.for_each([&](int n, int k, float &y) {
    y -= mean;
    if (at.column(n) + k < at.columns) sums.a += y * y;
  });
  float inverse = 1.0f / sqrtf(line_sums(sums, at, 1).a / (float)a.columns + a.epsilon);
  if (a.statistics && at.unit == 0 && at.columns) {
    a.statistics[at.row] = mean;
    a.statistics[a.rows + at.row] = inverse;
  }
  NormRow<eights> gamma = get_weights<eights>(a.gamma, at, a.columns), beta = get_weights<eights>(a.beta, at, a.columns);
  x.for_each([&](int n, int k, float &y) { y = y * (inverse * gamma.x[n].x[k]) + beta.x[n].x[k]; });
  drop_row(a.outer, at, x);
  put_row(a.out, at, x);
}

KERNEL BOUNDED(HERO_NORM_THREADS) layer_norm(const hero_norm_arguments a) { norm_rows<1>(a); }
KERNEL BOUNDED(HERO_NORM_THREADS, 1) layer_norm_wide(const hero_norm_arguments a) { norm_rows<2>(a); }

// Adds the sums of all lines of a block, in their order, as one row of the part.
template <int eights> __device__ inline void put_line_sums(NormRow<eights> &own, float *to, NormPlace at, long long columns) {
  __shared__ float sums[2048];
  hero_view view = {to, 0};
  at.go(0, 1, columns);
  u32 lines = blockDim.x / at.units;
  if (lines == 1) return put_row(view, at, own);
  // A block with several lines has at most 256 threads.
  __syncthreads();
#pragma unroll
  for (int n = 0; n < eights; n++)
#pragma unroll
    for (int k = 0; k < 8; k++) sums[8 * (at.line * at.units + at.unit) + k] = own.x[n].x[k];
  __syncthreads();
  for (u32 c = threadIdx.x; c < columns; c += blockDim.x) {
    float sum = 0;
    for (u32 line = 0; line < lines; line++) sum += sums[8 * line * at.units + c];
    to[c] = sum;
  }
}

// A block takes the rows of a part, which its lines share in turn. It sums the gradients of gamma
// and beta and, if asked for, of the bias that x ends with.
template <int eights> __device__ inline void norm_gradients(const hero_norm_backward_arguments &a) {
  NormPlace at(a.units);
  u32 lines = blockDim.x / at.units;
  long long first = blockIdx.x * a.rows_per_part;
  long long last = first + a.rows_per_part < a.rows ? first + a.rows_per_part : a.rows;
  NormRow<eights> gammas, betas, biases;
  gammas.clear();
  betas.clear();
  biases.clear();
  hero_view weights = {(void *)a.gamma, 0};
  int turn = 0;
  for (long long line = first; line < last; line += lines) {
    at.go(line + at.line, last, a.columns);
    NormRow<eights> d, hat;
#pragma unroll
    for (int n = 0; n < eights; n++) {
      Raw asked = ask(a.dy, at.start, at.column(n), at.columns), asked_sum = ask(a.sum, at.start, at.column(n), at.columns);
      d.x[n] = received(asked);
      hat.x[n] = received(asked_sum);
    }
    float mean = 0, inverse = 0;
    if (at.columns) {
      mean = a.statistics[at.row];
      inverse = a.statistics[a.rows + at.row];
    }
    drop_row(a.outer, at, d);
    Sums sums = {0, 0};
#pragma unroll
    for (int n = 0; n < eights; n++) {
      Eight gamma = get_eight(weights, 0, at.column(n), a.columns);
#pragma unroll
      for (int k = 0; k < 8; k++) {
        float &y = d.x[n].x[k], &own = hat.x[n].x[k];
        own = (own - mean) * inverse;
        gammas.x[n].x[k] += y * own;
        betas.x[n].x[k] += y;
        y *= gamma.x[k];
        sums.a += y * own;
        sums.b += y;
      }
    }
    sums = line_sums(sums, at, turn);
    turn ^= 1;
    float along = sums.a / (float)a.columns, total = sums.b / (float)a.columns;
    d.for_each([&](int n, int k, float &y) { y = (y - total - hat.x[n].x[k] * along) * inverse; });
    if (a.d_residual.data) {
      NormRow<eights> copy = d;
      put_row(a.d_residual, at, copy, a.accumulate_residual);
    }
    if (!a.dx.data) continue;
    drop_row(a.inner, at, d);
    put_row(a.dx, at, d, a.accumulate_x);
    if (eights == 1) biases.for_each([&](int n, int k, float &y) { y += d.x[n].x[k]; });
  }
  float *parts = a.parts + blockIdx.x * (a.has_bias ? 3 : 2) * a.columns;
  put_line_sums(gammas, parts, at, a.columns);
  put_line_sums(betas, parts + a.columns, at, a.columns);
  if (eights == 1 && a.has_bias) put_line_sums(biases, parts + 2 * a.columns, at, a.columns);
}

KERNEL BOUNDED(HERO_NORM_THREADS) layer_norm_backward(const hero_norm_backward_arguments a) { norm_gradients<1>(a); }
KERNEL BOUNDED(HERO_NORM_THREADS, 1) layer_norm_backward_wide(const hero_norm_backward_arguments a) { norm_gradients<2>(a); }

KERNEL normalize_rows(const hero_unit_arguments a) {
  long long start = blockIdx.x * a.columns;
  float squares = 0;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    float x = get(a.x, start + c);
    squares += x * x;
  }
  float length = sqrtf(block_sum(squares)), factor = 1.0f / fmaxf(length, a.floor);
  if (threadIdx.x == 0) a.lengths[blockIdx.x] = length;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) put(a.out, start + c, get(a.x, start + c) * factor);
}

KERNEL normalize_rows_backward(const hero_unit_backward_arguments a) {
  long long start = blockIdx.x * a.columns;
  float length = a.lengths[blockIdx.x], inverse = 1.0f / fmaxf(length, a.floor), along = 0;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) along += get(a.dy, start + c) * get(a.out, start + c);
  along = block_sum(along);
  // Where the floor holds, the length is a constant.
  if (!(length > a.floor)) along = 0;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    long long at = start + c;
    float d = inverse * (get(a.dy, at) - along * get(a.out, at));
    put(a.dx, at, a.accumulate ? get(a.dx, at) + d : d);
  }
}

// Returns whether (x, i) comes before (y, j): the larger value first, ties from left to right.
__device__ inline bool precedes(float x, int i, float y, int j) { return x > y || (x == y && i < j); }

// Finds the elements one after the other: each is the first of those after the last one found.
KERNEL top(const hero_top_arguments a) {
  __shared__ float values[32];
  __shared__ int places[32];
  long long row = blockIdx.x, start = row * a.stride;
  float last = infinity();
  int last_place = -1;
  for (long long k = 0; k < a.kept; k++) {
    float best = -infinity();
    int place = 0x7FFFFFFF;
    for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
      float x = get(a.x, start + c);
      int own = (int)(a.first_column + c);
      if (x == x && precedes(last, last_place, x, own) && precedes(x, own, best, place)) {
        best = x;
        place = own;
      }
    }
    for (long long c = threadIdx.x; c < a.earlier; c += blockDim.x) {
      float x = a.earlier_values[row * a.earlier + c];
      int own = a.earlier_places[row * a.earlier + c];
      if (own >= 0 && precedes(last, last_place, x, own) && precedes(x, own, best, place)) {
        best = x;
        place = own;
      }
    }
    for (int distance = 16; distance > 0; distance >>= 1) {
      float other = __shfl_xor_sync(0xFFFFFFFFu, best, distance);
      int other_place = __shfl_xor_sync(0xFFFFFFFFu, place, distance);
      if (precedes(other, other_place, best, place)) {
        best = other;
        place = other_place;
      }
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
      values[threadIdx.x / 32] = best;
      places[threadIdx.x / 32] = place;
    }
    __syncthreads();
    for (u32 warp = 0; warp < blockDim.x / 32; warp++)
      if (precedes(values[warp], places[warp], best, place)) {
        best = values[warp];
        place = places[warp];
      }
    bool none = place == 0x7FFFFFFF;
    if (threadIdx.x == 0) {
      if (a.values) {
        a.values[row * a.kept + k] = none ? -infinity() : best;
        a.places[row * a.kept + k] = none ? -1 : place;
      } else {
        a.places[row] = none ? 0 : place;
      }
    }
    last = best;
    last_place = place;
  }
}
