// Operations on rows: a block has one, or several.

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

// How often each index occurs. Whole numbers may be added up in any order.
KERNEL scatter_count(const hero_scatter_arguments a) {
  long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (row < a.rows && a.indices[row] >= 0) atomicAdd(a.uses + a.indices[row], 1);
}

// A row whose index is its own goes where it belongs; of the others the first of a stretch's rows
// with one index adds them all up, for scatter_add, or where a single stretch is all there is
// (`uses` is missing then), to where they belong.
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

// The first of all leaders of an index adds the stretches' sums to its row; each warp has 128
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
      // All are asked for before the first is waited for.
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

// A norm's row lies among the threads of a warp (up to HERO_WARP_COLUMNS columns) or, where `wide`,
// of a block. A thread has eights of neighbouring columns, its own and every `units`-th from there
// on. It keeps them in registers, reaches eight of bfloat16 by one access and draws every bit of
// dropout once.
template <bool wide> struct NormRow {
  enum { eights = wide ? 2 : HERO_WARP_COLUMNS / 256, fours = 2 * eights };

  Four x[fours];

  __device__ static u32 unit() { return wide ? threadIdx.x : threadIdx.x % 32; }
  __device__ static u32 units() { return wide ? blockDim.x : 32; }
  __device__ static u32 eight(int number) { return unit() + number * units(); }
  // Of four `i` of the thread's.
  __device__ static u32 column(int i) { return HERO_DROPOUT_COLUMNS * eight(i / 2) + i % 2 * 4; }
  __device__ static float sum(float x) { return wide ? block_sum(x) : warp_sum(x); }

  template <class Body> __device__ void for_each(Body body) {
#pragma unroll
    for (int i = 0; i < fours; i++)
#pragma unroll
      for (int k = 0; k < 4; k++) body(i, k, x[i].x[k]);
  }

  // The elements of the row that begins at `start`; zeros after its end. All are asked for before
  // the first is waited for.
  __device__ void get(const hero_view &v, long long start, u32 columns) {
    unsigned long long at = (unsigned long long)v.data + start * (v.bf16 ? 2 : 4);
    if (columns % HERO_DROPOUT_COLUMNS || at % 16) {
      for (int i = 0; i < fours; i++) x[i] = get_columns(v, start, column(i), columns);
    } else if (v.bf16) {
      uint4 w[eights];
#pragma unroll
      for (int n = 0; n < eights; n++) {
        w[n].x = w[n].y = w[n].z = w[n].w = 0;
        if (column(2 * n) < columns) w[n] = *(const uint4 *)((const bfloat *)at + column(2 * n));
      }
#pragma unroll
      for (int n = 0; n < eights; n++) {
        uint2 low = {w[n].x, w[n].y}, high = {w[n].z, w[n].w};
        x[2 * n] = widen_four(low);
        x[2 * n + 1] = widen_four(high);
      }
    } else {
      float4 w[fours];
#pragma unroll
      for (int i = 0; i < fours; i++) {
        w[i].x = w[i].y = w[i].z = w[i].w = 0;
        if (column(i) < columns) w[i] = *(const float4 *)((const float *)at + column(i));
      }
#pragma unroll
      for (int i = 0; i < fours; i++) x[i] = {{w[i].x, w[i].y, w[i].z, w[i].w}};
    }
  }

  __device__ void get(const float *from, u32 columns) {
    hero_view view = {(void *)from, 0};
    get(view, 0, columns);
  }

  // Writes the row; the elements become what can be read again.
  __device__ void put(const hero_view &v, long long start, u32 columns) {
    unsigned long long at = (unsigned long long)v.data + start * 2;
    if (!v.bf16 || columns % HERO_DROPOUT_COLUMNS || at % 16) {
#pragma unroll
      for (int i = 0; i < fours; i++) x[i] = put_columns(v, start, column(i), columns, x[i]);
      return;
    }
#pragma unroll
    for (int n = 0; n < eights; n++) {
      uint2 low = narrow_four(x[2 * n]), high = narrow_four(x[2 * n + 1]);
      x[2 * n] = widen_four(low);
      x[2 * n + 1] = widen_four(high);
      uint4 w = {low.x, low.y, high.x, high.y};
      if (column(2 * n) < columns) *(uint4 *)((bfloat *)at + column(2 * n)) = w;
    }
  }

  // Writes the row, or adds it to what is there.
  __device__ void add_to(const hero_view &v, bool accumulate, long long start, u32 columns) const {
    NormRow sum = *this;
    if (accumulate) {
      sum.get(v, start, columns);
      sum.for_each([&](int i, int k, float &y) { y += x[i].x[k]; });
    }
    sum.put(v, start, columns);
  }

  __device__ void drop(const hero_dropout &drop, long long row, u32 columns) {
    if (!drop.threshold) return;
#pragma unroll
    for (int n = 0; n < eights; n++) {
      if (column(2 * n) >= columns) break;
      Words words = drop_words(drop, (u32)row, eight(n));
#pragma unroll
      for (int k = 0; k < HERO_DROPOUT_COLUMNS; k++)
        x[2 * n + k / 4].x[k % 4] *= drop_half(drop, words.w[k / 2], k % 2);
    }
  }
};

template <bool wide> __device__ inline void norm_row(const hero_norm_arguments &a) {
  typedef NormRow<wide> Row;
  long long row = wide ? blockIdx.x : (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (row >= a.rows) return;
  u32 columns = (u32)a.columns;
  long long start = row * columns;
  Row x, other;
  float total = 0, squares = 0;
  x.get(a.x, start, columns);
  if (a.residual.data) other.get(a.residual, start, columns);
  x.drop(a.inner, row, columns);
  if (a.residual.data) x.for_each([&](int i, int k, float &y) { y += other.x[i].x[k]; });
  if (a.keeps_sum) x.put(a.sum, start, columns);
  x.for_each([&](int, int, float &y) { total += y; });
  float mean = Row::sum(total) / (float)columns;
  x.for_each([&](int i, int k, float &y) {
    y -= mean;
    if (Row::column(i) + k < columns) squares += y * y;
  });
  float inverse = 1.0f / sqrtf(Row::sum(squares) / (float)columns + a.epsilon);
  if (Row::unit() == 0) {
    a.statistics[row] = mean;
    a.statistics[a.rows + row] = inverse;
  }
  other.get(a.gamma, columns);
  x.for_each([&](int i, int k, float &y) { y *= inverse * other.x[i].x[k]; });
  other.get(a.beta, columns);
  x.for_each([&](int i, int k, float &y) { y += other.x[i].x[k]; });
  x.drop(a.outer, row, columns);
  x.put(a.out, start, columns);
}

KERNEL BOUNDED(256, 2) layer_norm(const hero_norm_arguments a) { norm_row<false>(a); }
KERNEL BOUNDED(512, 1) layer_norm_wide(const hero_norm_arguments a) { norm_row<true>(a); }

// The sums of all lines of a block, in their order, as one row of a part's.
__device__ inline void put_line_sums(const NormRow<false> &own, float *to, u32 columns) {
  typedef NormRow<false> Row;
  __shared__ float sums[8][HERO_WARP_COLUMNS];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < Row::fours; i++)
    for (int k = 0; k < 4; k++)
      if (Row::column(i) + k < columns) sums[threadIdx.x / 32][Row::column(i) + k] = own.x[i].x[k];
  __syncthreads();
  for (u32 c = threadIdx.x; c < columns; c += blockDim.x) {
    float sum = 0;
    for (u32 line = 0; line < blockDim.x / 32; line++) sum += sums[line][c];
    to[c] = sum;
  }
}

__device__ inline void put_line_sums(const NormRow<true> &own, float *to, u32 columns) {
  hero_view view = {to, 0};
  NormRow<true> row = own;
  row.put(view, 0, columns);
}

// A block has some rows (a warp every eighth of them), and adds up what they give the weights.
template <bool wide> __device__ inline void norm_gradients(const hero_norm_backward_arguments &a) {
  typedef NormRow<wide> Row;
  u32 lines = wide ? 1 : blockDim.x / 32, columns = (u32)a.columns;
  long long first = blockIdx.x * a.rows_per_part;
  long long last = first + a.rows_per_part < a.rows ? first + a.rows_per_part : a.rows;
  Row gammas, betas;
  gammas.for_each([](int, int, float &y) { y = 0; });
  betas.for_each([](int, int, float &y) { y = 0; });
  for (long long row = first + (wide ? 0 : threadIdx.x / 32); row < last; row += lines) {
    long long start = row * columns;
    float mean = a.statistics[row], inverse = a.statistics[a.rows + row], along = 0, total = 0;
    Row d, hat, gamma;
    d.get(a.dy, start, columns);
    hat.get(a.sum, start, columns);
    gamma.get(a.gamma, columns);
    d.drop(a.outer, row, columns);
    d.for_each([&](int i, int k, float &y) {
      float &own = hat.x[i].x[k];
      own = (own - mean) * inverse;
      gammas.x[i].x[k] += y * own;
      betas.x[i].x[k] += y;
      y *= gamma.x[i].x[k];
      along += y * own;
      total += y;
    });
    along = Row::sum(along) / (float)columns;
    total = Row::sum(total) / (float)columns;
    d.for_each([&](int i, int k, float &y) { y = (y - total - hat.x[i].x[k] * along) * inverse; });
    if (a.d_residual.data) d.add_to(a.d_residual, a.accumulate_residual, start, columns);
    if (!a.dx.data) continue;
    d.drop(a.inner, row, columns);
    d.add_to(a.dx, a.accumulate_x, start, columns);
  }
  float *parts = a.parts + blockIdx.x * 2 * columns;
  put_line_sums(gammas, parts, columns);
  put_line_sums(betas, parts + columns, columns);
}

KERNEL BOUNDED(256) layer_norm_backward(const hero_norm_backward_arguments a) { norm_gradients<false>(a); }
KERNEL BOUNDED(512) layer_norm_backward_wide(const hero_norm_backward_arguments a) { norm_gradients<true>(a); }

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

// Whether (x, i) comes before (y, j): the larger first, of equals the one further left.
__device__ inline bool precedes(float x, int i, float y, int j) { return x > y || (x == y && i < j); }

// One after the other, each the first of what comes after the last.
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
