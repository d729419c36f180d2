// Softmax attention over packed sequences that never writes a score to the device's memory (Dao et
// al., "FlashAttention", NeurIPS 2022). A block takes one head of a whole short sequence and keeps
// the scores in registers. Of a longer sequence, it takes a tile of one head's queries and walks
// over the tiles of keys; for the gradients of keys and values it is the other way round. A warp
// has 16 rows. Products are 16 by 8 by 16. The tensor cores compute them if T is bfloat. If T is
// float, the same elements lie in the same threads, and the sums are in float32.

template <class T> struct Tile;
template <> struct Tile<float> { enum { rows = HERO_FLOAT_TILE, gap = 4 }; };
template <> struct Tile<bfloat> { enum { rows = HERO_BFLOAT_TILE, gap = 8 }; };

__device__ inline void store(float *to, float x) { *to = x; }
__device__ inline void store(bfloat *to, float x) { *to = narrow(x); }

#ifndef HERO_EMULATION
// d += a·b: a 16 by 16, b 16 by 8, in the layout of mma.m16n8k16.
__device__ inline void mma(float *d, const u32 *a, const u32 *b) {
#ifdef HERO_BF16
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Loads four matrices of 8 by 8; lane l gives the address of row l % 8 of matrix l / 8. Thread (g,
// t) gets elements 2 t and 2 t + 1 of row g of each, or of each transposed.
__device__ inline void load_matrices(u32 (&r)[4], const bfloat *row, bool transposed) {
#ifdef HERO_BF16
  u32 at = (u32)__cvta_generic_to_shared(row);
  if (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
#endif
}

// Begins to copy 16 bytes to shared memory, or writes zeros if there is nothing to read.
__device__ inline void begin_copy(bfloat *to, const bfloat *from, bool isThere) {
#ifdef HERO_BF16
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :: "r"((u32)__cvta_generic_to_shared(to)), "l"(from), "r"(isThere ? 16 : 0) : "memory");
#endif
}

// Waits for the copies that this thread has begun; a thread must not end before they do.
__device__ inline void end_copies() {
#ifdef HERO_BF16
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}
#endif

// Computes c[16 by 8·N] += A·Bᵀ over `depth` columns (a multiple of 16); A and B lie in shared
// memory by strides. Thread (g, t) = (lane / 4, lane % 4) of a warp has rows g and g + 8 and, for
// every j, columns 8 j + 2 t and the next: c[j][0 … 3]. Columns from `columns` on (a multiple of
// 16) are skipped.
template <int N>
__device__ inline void multiply(
    float (&c)[N][4], const float *a, int a_row, int a_depth, const float *b, int b_row, int b_depth, int depth,
    int columns = 8 * N) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  for (int k = 0; k < depth; k++) {
    float high = a[g * a_row + k * a_depth], low = a[(g + 8) * a_row + k * a_depth];
#pragma unroll
    for (int j = 0; j < N; j++) {
      if (8 * j >= columns) break;
      const float *from = b + (8 * j + 2 * t) * b_row + k * b_depth;
      float left = from[0], right = from[b_row];
      c[j][0] += high * left;
      c[j][1] += high * right;
      c[j][2] += low * left;
      c[j][3] += low * right;
    }
  }
}

// Adds the part of that product that comes from 16 columns of A, from k on, in registers; N is
// even.
template <int N>
__device__ inline void multiply_step(
    float (&c)[N][4], const u32 (&left)[4], const bfloat *b, int b_row, int b_depth, int k, int columns = 8 * N) {
  int lane = threadIdx.x % 32, matrix = lane / 8, r = lane % 8;
#pragma unroll
  for (int j = 0; j < N; j += 2) {
    if (8 * j >= columns) break;
    u32 right[4];
    int row = 8 * (j + matrix / 2), column = k + matrix % 2 * 8;
    if (b_depth == 1) load_matrices(right, b + (row + r) * b_row + column, false);
    else load_matrices(right, b + row * b_row + (column + r) * b_depth, true);
    mma(c[j], left, right);
    mma(c[j + 1], left, right + 2);
  }
}

template <int N>
__device__ inline void multiply(
    float (&c)[N][4], const bfloat *a, int a_row, int a_depth, const bfloat *b, int b_row, int b_depth, int depth,
    int columns = 8 * N) {
  int lane = threadIdx.x % 32, row = lane / 8 % 2 * 8, column = lane / 16 * 8, r = lane % 8;
  for (int k = 0; k < depth; k += 16) {
    u32 left[4];
    if (a_depth == 1) load_matrices(left, a + (row + r) * a_row + k + column, false);
    else load_matrices(left, a + row * a_row + (k + column + r) * a_depth, true);
    multiply_step(c, left, b, b_row, b_depth, k, columns);
  }
}

// Returns whether a tile's rows can be copied as they are, eight elements at a time.
__device__ inline bool copies(const float *, const hero_view &, long long, long long, int) { return false; }
__device__ inline bool copies(const bfloat *, const hero_view &x, long long ld, long long column, int head) {
  return x.bf16 && ((unsigned long long)x.data % 16 | ld % 8 | column % 8 | head % 8) == 0;
}

template <int D>
__device__ inline void copy_rows(float *, const hero_view &, long long, long long, int, int, int, int, int) {}
template <int D>
__device__ inline void copy_rows(
    bfloat *to, const hero_view &x, long long ld, long long column, int first, int last, int head, int rows, int threads) {
  enum { width = D + Tile<bfloat>::gap };
#pragma unroll 4
  for (int i = threadIdx.x; i < rows * (D / 8); i += threads) {
    int row = i / (D / 8), c = i % (D / 8) * 8;
    bool isThere = first + row < last && c < head;
    const bfloat *from = (const bfloat *)x.data;
    if (isThere) from += (first + row) * ld + column + c;
    begin_copy(to + row * width + c, from, isThere);
  }
}

// Waits until all threads have loaded their tiles.
__device__ inline void wait_for_tiles() {
  end_copies();
  __syncthreads();
}

// Loads `rows` rows of x from row `first` on, `head` columns from `column` on; writes zeros from
// row `last` and column `head` on, up to D.
template <class T, int D>
__device__ inline void load_rows(
    T *to, const hero_view &x, long long ld, long long column, int first, int last, int head, int rows, int threads) {
  enum { width = D + Tile<T>::gap };
  if (copies(to, x, ld, column, head)) return copy_rows<D>(to, x, ld, column, first, last, head, rows, threads);
#pragma unroll 1
  for (int i = threadIdx.x; i < rows * (D / 4); i += threads) {
    int row = i / (D / 4), c = i % (D / 4) * 4;
    Four f = {{0, 0, 0, 0}};
    if (first + row < last) f = get_columns(x, (first + row) * ld + column, c, head);
    for (int k = 0; k < 4; k++) store(to + row * width + c + k, f.x[k]);
  }
}

template <class T, int D>
__device__ inline void load_tile(T *to, const hero_view &x, long long ld, long long column, int first, int last, int head) {
  enum { rows = Tile<T>::rows };
  load_rows<T, D>(to, x, ld, column, first, last, head, rows, rows / 16 * 32);
}

template <int N> __device__ inline void clear(float (&c)[N][4]) {
#pragma unroll
  for (int j = 0; j < N; j++)
    for (int i = 0; i < 4; i++) c[j][i] = 0;
}

// Writes a warp's 16 rows to shared memory, up to column `columns` (a multiple of 16).
template <int N> __device__ inline void spread(float *to, int width, const float (&c)[N][4], int columns = 8 * N) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int j = 0; j < N; j++) {
    if (8 * j >= columns) break;
    for (int i = 0; i < 4; i++) to[(g + i / 2 * 8) * width + 8 * j + 2 * t + i % 2] = c[j][i];
  }
}

template <int N> __device__ inline void spread(bfloat *to, int width, const float (&c)[N][4], int columns = 8 * N) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int j = 0; j < N; j++) {
    if (8 * j >= columns) break;
    for (int half = 0; half < 2; half++)
      *(u32 *)(to + (g + half * 8) * width + 8 * j + 2 * t) = pair(c[j][2 * half], c[j][2 * half + 1]);
  }
}

// Computes c += S·B. S is the first `columns` of a warp's 16 rows of scores, as `multiply` leaves
// them; B lies in shared memory, its rows by stride 1. Float32 scores go through `room`; in
// bfloat16 they already lie as a factor does.
template <int M, int N>
__device__ inline void multiply_scores(
    float (&c)[N][4], const float (&s)[M][4], float *room, int across, const float *b, int b_depth, int columns) {
  spread(room, across, s, columns);
  __syncwarp();
  multiply(c, room, across, 1, b, 1, b_depth, columns);
  __syncwarp();
}

template <int M, int N>
__device__ inline void multiply_scores(
    float (&c)[N][4], const float (&s)[M][4], bfloat *, int, const bfloat *b, int b_depth, int columns) {
#pragma unroll
  for (int k = 0; k < M; k += 2) {
    if (8 * k >= columns) break;
    u32 left[4] = {pair(s[k][0], s[k][1]), pair(s[k][2], s[k][3]), pair(s[k + 1][0], s[k + 1][1]), pair(s[k + 1][2], s[k + 1][3])};
    multiply_step(c, left, b, 1, b_depth, 8 * k);
  }
}

// Writes a warp's 16 rows to a tensor from row `row` on, below `last` and within the head.
template <int N>
__device__ inline void put_rows(
    const hero_view &to, long long ld, long long column, int row, int last, int head, const float (&c)[N][4]) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int j = 0; j < N; j++)
    for (int half = 0; half < 2; half++) {
      int r = row + g + half * 8, own = 8 * j + 2 * t;
      long long at = r * ld + column + own;
      if (r >= last || own >= head) continue;
      if (to.bf16 && own + 1 < head && (unsigned long long)((bfloat *)to.data + at) % 4 == 0) {
        *(u32 *)((bfloat *)to.data + at) = pair(c[j][2 * half], c[j][2 * half + 1]);
      } else {
        put(to, at, c[j][2 * half]);
        if (own + 1 < head) put(to, at + 1, c[j][2 * half + 1]);
      }
    }
}

// Transposes the words of four neighbouring threads: word i of thread j becomes word j of thread i.
__device__ inline void exchange(Words &words) {
#pragma unroll
  for (int distance = 1; distance <= 2; distance *= 2) {
    bool upper = threadIdx.x & distance;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (i & distance) continue;
      u32 other = __shfl_xor_sync(0xFFFFFFFFu, upper ? words.w[i] : words.w[i + distance], distance);
      if (upper) words.w[i] = other;
      else words.w[i + distance] = other;
    }
  }
}

// Calls body(j, i, factor) for a warp's elements of the probabilities: rows from `row` on (as
// dropout counts them), columns from `column` on, a multiple of 8. Four threads share a row's eight
// columns and use one word each. Each thread draws the words of a different group of eight, and the
// four exchange them. N is a multiple of 4.
template <int N, class Body>
__device__ inline void for_factors(const hero_dropout &drop, u32 row, int column, int columns, Body body) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int j = 0; j < N; j += 4) {
    if (column + 8 * j >= columns) break;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      Words words = {{0, 0, 0, 0}};
      if (drop.threshold) {
        words = drop_words(drop, row + g + half * 8, (u32)(column / HERO_DROPOUT_COLUMNS + j + t));
        exchange(words);
      }
#pragma unroll
      for (int k = 0; k < 4; k++)
#pragma unroll
        for (int e = 0; e < 2; e++)
          body(j + k, half * 2 + e, drop.threshold ? drop_half(drop, words.w[k], e) : 1.0f);
    }
  }
}

// Returns how many of a tile's rows or columns the `left` ones fill, rounded up to a multiple of
// 16.
__device__ inline int filled(int left, int tile) { return left < tile ? (left + 15) / 16 * 16 : tile; }

// The head and the sequence of a block.
struct Place {
  int head, first, last, key_first, key_count, depth;
  // The head's first column, and its first row as dropout counts them.
  long long column;
  u32 drop_row;
};

__device__ inline Place place_of(const hero_attention_arguments &a) {
  Place at;
  int sequence = a.chosen_count ? a.chosen[blockIdx.z] : blockIdx.z;
  at.head = blockIdx.y;
  at.first = a.query_starts[sequence];
  at.last = a.query_starts[sequence + 1];
  at.key_first = a.key_starts[sequence];
  at.key_count = a.key_ends[sequence] - at.key_first;
  at.depth = (a.head + 15) / 16 * 16;
  at.column = (long long)at.head * a.head;
  at.drop_row = (u32)(a.heads * at.first + at.head * (at.last - at.first));
  return at;
}

// Scales a warp's scores of queries from `own` and keys from `key` on, and sets those of keys that
// a query does not see to minus infinity. `high` rises to the largest score of each of a thread's
// two rows.
template <int N>
__device__ inline void mask(
    const hero_attention_arguments &a, const Place &at, float (&s)[N][4], float (&high)[2], int own, int key, int columns) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int j = 0; j < N; j++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (8 * j >= columns) break;
      int c = key + 8 * j + 2 * t + i % 2, r = own + g + i / 2 * 8;
      s[j][i] = c < at.key_count && (!a.causal || c <= r) ? s[j][i] * a.scale : -infinity();
      high[i / 2] = fmaxf(high[i / 2], s[j][i]);
    }
#pragma unroll
  for (int half = 0; half < 2; half++) {
    high[half] = fmaxf(high[half], __shfl_xor_sync(0xFFFFFFFFu, high[half], 1));
    high[half] = fmaxf(high[half], __shfl_xor_sync(0xFFFFFFFFu, high[half], 2));
  }
}

// Turns the scores into powers of e, adds the powers to `total` and then applies dropout.
template <int N>
__device__ inline void raise(
    const hero_attention_arguments &a, const Place &at, float (&s)[N][4], const float (&most)[2], float (&total)[2], int own,
    int key, int columns) {
#pragma unroll
  for (int j = 0; j < N; j++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (8 * j >= columns) break;
      s[j][i] = exponential(s[j][i] - most[i / 2]);
      total[i / 2] += s[j][i];
    }
  if (a.drop.threshold)
    for_factors<N>(a.drop, at.drop_row + own, key, at.key_count, [&](int j, int i, float factor) { s[j][i] *= factor; });
}

// Divides a warp's rows by their sums and writes them, with the logarithms of the sums.
template <int N>
__device__ inline void finish(
    const hero_attention_arguments &a, const Place &at, float (&out)[N][4], const float (&most)[2], float (&total)[2], int own) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    total[half] += __shfl_xor_sync(0xFFFFFFFFu, total[half], 1);
    total[half] += __shfl_xor_sync(0xFFFFFFFFu, total[half], 2);
    float inverse = at.key_count > 0 ? 1 / total[half] : 0.0f;
    int r = at.first + own + g + half * 8;
    if (t == 0 && r < at.last && a.log_sums) a.log_sums[at.head * a.query_rows + r] = most[half] + logf(total[half]);
#pragma unroll
    for (int j = 0; j < N; j++) {
      out[j][2 * half] *= inverse;
      out[j][2 * half + 1] *= inverse;
    }
  }
  put_rows(a.out, a.ld_out, at.column, at.first + own, at.last, a.head, out);
}

template <class T, int D> __device__ inline void attention_short(const hero_attention_arguments &a) {
  enum { width = D + Tile<T>::gap };
  DYNAMIC_SHARED(T, room);
  int rows = blockDim.x / 2, own = threadIdx.x / 32 * 16, across = rows + Tile<T>::gap;
  T *q = room, *k = q + rows * width, *v = k + rows * width, *p = v + rows * width;
  Place at = place_of(a);
  int query_count = at.last - at.first;
  // Another launch takes longer sequences.
  if (query_count > rows || at.key_count > rows) return;
  int columns = filled(at.key_count, rows), key_last = at.key_first + at.key_count;
  load_rows<T, D>(q, a.queries, a.ld_queries, at.column, at.first, at.last, a.head, filled(query_count, rows), blockDim.x);
  load_rows<T, D>(k, a.keys, a.ld_keys, at.column, at.key_first, key_last, a.head, columns, blockDim.x);
  load_rows<T, D>(v, a.values, a.ld_keys, at.column, at.key_first, key_last, a.head, columns, blockDim.x);
  wait_for_tiles();
  if (own >= query_count) return;
  float s[HERO_SHORT_ROWS / 8][4], out[D / 8][4], most[2] = {-infinity(), -infinity()}, total[2] = {0, 0};
  clear(s);
  clear(out);
  multiply(s, q + own * width, width, 1, k, width, 1, at.depth, columns);
  mask(a, at, s, most, own, 0, columns);
  raise(a, at, s, most, total, own, 0, columns);
  multiply_scores(out, s, p + own * across, across, v, width, columns);
  finish(a, at, out, most, total, own);
}

template <class T, int D> __device__ inline void attention_forward(const hero_attention_arguments &a) {
  enum { tile = Tile<T>::rows, width = D + Tile<T>::gap, across = tile + Tile<T>::gap };
  DYNAMIC_SHARED(T, room);
  T *q = room, *k = q + tile * width, *v = k + tile * width, *p = v + tile * width;
  Place at = place_of(a);
  int warp = threadIdx.x / 32, start = at.first + blockIdx.x * tile;
  if (start >= at.last) return;
  int own = start - at.first + warp * 16, key_last = at.key_first + at.key_count;
  load_tile<T, D>(q, a.queries, a.ld_queries, at.column, start, at.last, a.head);
  float out[D / 8][4], most[2] = {-infinity(), -infinity()}, total[2] = {0, 0};
  clear(out);
  int end = a.causal && start - at.first + tile < at.key_count ? start - at.first + tile : at.key_count;
  for (int key = 0; key < end; key += tile) {
    __syncthreads();
    load_tile<T, D>(k, a.keys, a.ld_keys, at.column, at.key_first + key, key_last, a.head);
    load_tile<T, D>(v, a.values, a.ld_keys, at.column, at.key_first + key, key_last, a.head);
    wait_for_tiles();
    // A warp without rows, and columns without keys, do nothing.
    if (start + warp * 16 >= at.last) continue;
    int columns = filled(at.key_count - key, tile);
    float s[tile / 8][4];
    clear(s);
    multiply(s, q + warp * 16 * width, width, 1, k, width, 1, at.depth, columns);
    float high[2] = {most[0], most[1]};
    mask(a, at, s, high, own, key, columns);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      // Every query sees key 0, which comes first, so there is a largest score.
      float again = exponential(most[half] - high[half]);
      most[half] = high[half];
      total[half] *= again;
#pragma unroll
      for (int j = 0; j < D / 8; j++) {
        out[j][2 * half] *= again;
        out[j][2 * half + 1] *= again;
      }
    }
    raise(a, at, s, most, total, own, key, columns);
    multiply_scores(out, s, p + warp * 16 * across, across, v, width, columns);
  }
  end_copies();
  finish(a, at, out, most, total, own);
}

// Gives each of a row's four threads the sum over the four.
__device__ inline void add_rows(float (&x)[2]) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    x[half] += __shfl_xor_sync(0xFFFFFFFFu, x[half], 1);
    x[half] += __shfl_xor_sync(0xFFFFFFFFu, x[half], 2);
  }
}

// Reads what an earlier pass left for a thread's two rows: `from` is `log_sums` or `deltas`.
__device__ inline void row_numbers(
    float (&x)[2], const float *from, const hero_attention_arguments &a, const Place &at, int own) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int r = at.first + own + threadIdx.x % 32 / 4 + half * 8;
    x[half] = r < at.last ? from[at.head * a.query_rows + r] : 0.0f;
  }
}

// Returns the probability of a score.
__device__ inline float probability(
    const hero_attention_arguments &a, const Place &at, float s, float log_sum, int r, int c) {
  bool seen = c < at.key_count && at.first + r < at.last && (!a.causal || c <= r);
  return seen ? exponential(s * a.scale - log_sum) : 0.0f;
}

// With P the probabilities, D their dropout factors and dP = D·(dy·vᵀ): dS = P·(dP − Σ P·dP), dv =
// (P·D)ᵀ·dy, dq = dS·k, dk = dSᵀ·q, the last two times the scale. P·D and dS go through shared
// memory once.
template <class T, int D> __device__ inline void attention_short_backward(const hero_attention_arguments &a) {
  enum { width = D + Tile<T>::gap, tiles = HERO_SHORT_ROWS / 8 };
  DYNAMIC_SHARED(T, room);
  int rows = blockDim.x / 2, own = threadIdx.x / 32 * 16, across = rows + Tile<T>::gap;
  T *q = room, *dy = q + rows * width, *k = dy + rows * width, *v = k + rows * width;
  T *p = v + rows * width, *ds = p + rows * across;
  Place at = place_of(a);
  int query_count = at.last - at.first, key_last = at.key_first + at.key_count;
  if (query_count > rows || at.key_count > rows) return;
  int columns = filled(at.key_count, rows), depth = filled(query_count, rows);
  load_rows<T, D>(q, a.queries, a.ld_queries, at.column, at.first, at.last, a.head, depth, blockDim.x);
  load_rows<T, D>(k, a.keys, a.ld_keys, at.column, at.key_first, key_last, a.head, columns, blockDim.x);
  load_rows<T, D>(dy, a.dy, a.ld_out, at.column, at.first, at.last, a.head, depth, blockDim.x);
  load_rows<T, D>(v, a.values, a.ld_keys, at.column, at.key_first, key_last, a.head, columns, blockDim.x);
  float log_sum[2], delta[2] = {0, 0};
  row_numbers(log_sum, a.log_sums, a, at, own);
  wait_for_tiles();
  if (own < query_count) {
    float s[tiles][4], slope[tiles][4], dq[D / 8][4];
    clear(s);
    clear(slope);
    multiply(s, q + own * width, width, 1, k, width, 1, at.depth, columns);
    multiply(slope, dy + own * width, width, 1, v, width, 1, at.depth, columns);
    int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    // Until the sums are complete, a probability's sign marks whether it is dropped.
    for_factors<tiles>(a.drop, at.drop_row + own, 0, at.key_count, [&](int j, int i, float factor) {
      float share = probability(a, at, s[j][i], log_sum[i / 2], own + g + i / 2 * 8, 8 * j + 2 * t + i % 2);
      slope[j][i] *= factor;
      delta[i / 2] += share * slope[j][i];
      s[j][i] = factor > 0 ? share : -share;
    });
    add_rows(delta);
    float keep = 65536.0f / (65536.0f - (float)a.drop.threshold);
#pragma unroll
    for (int j = 0; j < tiles; j++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (8 * j >= columns) break;
        slope[j][i] = fabsf(s[j][i]) * (slope[j][i] - delta[i / 2]) * a.scale;
        s[j][i] = __float_as_uint(s[j][i]) >> 31 ? 0.0f : s[j][i] * keep;
      }
    spread(p + own * across, across, s, columns);
    spread(ds + own * across, across, slope, columns);
    clear(dq);
    multiply_scores(dq, slope, ds + own * across, across, k, width, columns);
    put_rows(a.d_queries, a.ld_queries, at.column, at.first + own, at.last, a.head, dq);
  }
  __syncthreads();
  if (own >= at.key_count) return;
  float d[D / 8][4];
  clear(d);
  multiply(d, p + own, 1, across, dy, 1, width, depth);
  put_rows(a.d_values, a.ld_keys, at.column, at.key_first + own, key_last, a.head, d);
  clear(d);
  multiply(d, ds + own, 1, across, q, 1, width, depth);
  put_rows(a.d_keys, a.ld_keys, at.column, at.key_first + own, key_last, a.head, d);
}

// Recomputes a tile of probabilities, with dropout, in s. Turns ds from dy·vᵀ into the gradients of
// the scores.
template <int N>
__device__ inline void slopes(
    const hero_attention_arguments &a, const Place &at, const float (&log_sum)[2], const float (&delta)[2],
    float (&s)[N][4], float (&ds)[N][4], int own, int key) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  for_factors<N>(a.drop, at.drop_row + own, key, at.key_count, [&](int j, int i, float factor) {
    float share = probability(a, at, s[j][i], log_sum[i / 2], own + g + i / 2 * 8, key + 8 * j + 2 * t + i % 2);
    ds[j][i] = share * (ds[j][i] * factor - delta[i / 2]) * a.scale;
    s[j][i] = share * factor;
  });
}

// deltas = Σ out·dy of a thread's two rows, kept for attention_keys.
__device__ inline void find_deltas(float (&delta)[2], const hero_attention_arguments &a, const Place &at, int own) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int r = at.first + own + g + half * 8;
    delta[half] = 0;
    if (r >= at.last) continue;
    for (int c = 4 * t; c < a.head; c += 16) {
      Four x = get_columns(a.out, r * a.ld_out + at.column, c, a.head), dy = get_columns(a.dy, r * a.ld_out + at.column, c, a.head);
      for (int k = 0; k < 4; k++) delta[half] += x.x[k] * dy.x[k];
    }
  }
  add_rows(delta);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int r = at.first + own + g + half * 8;
    if (t == 0 && r < at.last) a.deltas[at.head * a.query_rows + r] = delta[half];
  }
}

template <class T, int D> __device__ inline void attention_queries(const hero_attention_arguments &a) {
  enum { tile = Tile<T>::rows, width = D + Tile<T>::gap, across = tile + Tile<T>::gap };
  DYNAMIC_SHARED(T, room);
  T *q = room, *dy = q + tile * width, *k = dy + tile * width, *v = k + tile * width, *p = v + tile * width;
  Place at = place_of(a);
  int warp = threadIdx.x / 32, start = at.first + blockIdx.x * tile;
  if (start >= at.last) return;
  int own = start - at.first + warp * 16, key_last = at.key_first + at.key_count;
  load_tile<T, D>(q, a.queries, a.ld_queries, at.column, start, at.last, a.head);
  load_tile<T, D>(dy, a.dy, a.ld_out, at.column, start, at.last, a.head);
  float dq[D / 8][4], log_sum[2], delta[2];
  row_numbers(log_sum, a.log_sums, a, at, own);
  find_deltas(delta, a, at, own);
  clear(dq);
  int end = a.causal && start - at.first + tile < at.key_count ? start - at.first + tile : at.key_count;
  for (int key = 0; key < end; key += tile) {
    __syncthreads();
    load_tile<T, D>(k, a.keys, a.ld_keys, at.column, at.key_first + key, key_last, a.head);
    load_tile<T, D>(v, a.values, a.ld_keys, at.column, at.key_first + key, key_last, a.head);
    wait_for_tiles();
    if (start + warp * 16 >= at.last) continue;
    int columns = filled(at.key_count - key, tile);
    float s[tile / 8][4], ds[tile / 8][4];
    clear(s);
    clear(ds);
    multiply(s, q + warp * 16 * width, width, 1, k, width, 1, at.depth, columns);
    multiply(ds, dy + warp * 16 * width, width, 1, v, width, 1, at.depth, columns);
    slopes(a, at, log_sum, delta, s, ds, own, key);
    multiply_scores(dq, ds, p + warp * 16 * across, across, k, width, columns);
  }
  end_copies();
  put_rows(a.d_queries, a.ld_queries, at.column, start + warp * 16, at.last, a.head, dq);
}

template <class T, int D> __device__ inline void attention_keys(const hero_attention_arguments &a) {
  enum { tile = Tile<T>::rows, width = D + Tile<T>::gap, across = tile + Tile<T>::gap };
  DYNAMIC_SHARED(T, room);
  T *k = room, *v = k + tile * width, *q = v + tile * width, *dy = q + tile * width, *p = dy + tile * width;
  T *ds = p + tile * across;
  Place at = place_of(a);
  int warp = threadIdx.x / 32, key = blockIdx.x * tile;
  if (key >= at.key_count) return;
  int query_count = at.last - at.first, key_last = at.key_first + at.key_count;
  load_tile<T, D>(k, a.keys, a.ld_keys, at.column, at.key_first + key, key_last, a.head);
  load_tile<T, D>(v, a.values, a.ld_keys, at.column, at.key_first + key, key_last, a.head);
  int columns = filled(at.key_count - key, tile);
  float dk[D / 8][4], dv[D / 8][4];
  clear(dk);
  clear(dv);
  // A query before the tile's first key sees none of them.
  for (int start = a.causal ? key : 0; start < query_count; start += tile) {
    __syncthreads();
    load_tile<T, D>(q, a.queries, a.ld_queries, at.column, at.first + start, at.last, a.head);
    load_tile<T, D>(dy, a.dy, a.ld_out, at.column, at.first + start, at.last, a.head);
    float log_sum[2], delta[2];
    row_numbers(log_sum, a.log_sums, a, at, start + warp * 16);
    row_numbers(delta, a.deltas, a, at, start + warp * 16);
    wait_for_tiles();
    if (start + warp * 16 < query_count) {
      float s[tile / 8][4], slope[tile / 8][4];
      clear(s);
      clear(slope);
      multiply(s, q + warp * 16 * width, width, 1, k, width, 1, at.depth, columns);
      multiply(slope, dy + warp * 16 * width, width, 1, v, width, 1, at.depth, columns);
      slopes(a, at, log_sum, delta, s, slope, start + warp * 16, key);
      spread(p + warp * 16 * across, across, s);
      spread(ds + warp * 16 * across, across, slope);
    }
    __syncthreads();
    if (warp * 16 >= columns) continue;
    int rows = filled(query_count - start, tile);
    multiply(dv, p + warp * 16, 1, across, dy, 1, width, rows);
    multiply(dk, ds + warp * 16, 1, across, q, 1, width, rows);
  }
  end_copies();
  int row = at.key_first + key + warp * 16;
  put_rows(a.d_keys, a.ld_keys, at.column, row, key_last, a.head, dk);
  put_rows(a.d_values, a.ld_keys, at.column, row, key_last, a.head, dv);
}

#define ATTENTION_KERNEL(name, T, type, D, threads) \
  KERNEL BOUNDED(threads) name##_##type##_##D(const hero_attention_arguments a) { name<T, D>(a); }
#define ATTENTION(T, type, D)                                              \
  ATTENTION_KERNEL(attention_short, T, type, D, 2 * HERO_SHORT_ROWS)          \
  ATTENTION_KERNEL(attention_short_backward, T, type, D, 2 * HERO_SHORT_ROWS) \
  ATTENTION_KERNEL(attention_forward, T, type, D, 2 * Tile<T>::rows)          \
  ATTENTION_KERNEL(attention_queries, T, type, D, 2 * Tile<T>::rows)          \
  ATTENTION_KERNEL(attention_keys, T, type, D, 2 * Tile<T>::rows)

// A program has the attention of one precision: bfloat16 needs a device of compute capability 8.0.
#if !defined(HERO_BF16) || defined(HERO_EMULATION)
ATTENTION(float, fp32, 64)
ATTENTION(float, fp32, 128)
#endif
#if defined(HERO_BF16) || defined(HERO_EMULATION)
ATTENTION(bfloat, bf16, 64)
ATTENTION(bfloat, bf16, 128)
#endif
