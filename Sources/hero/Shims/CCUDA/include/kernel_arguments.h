#ifndef HERO_KERNEL_ARGUMENTS_H
#define HERO_KERNEL_ARGUMENTS_H

#include "hero_dropout.h"
#include "hero_rounding.h"

// The arguments of each kernel: one structure by value, the same for the host, for NVRTC and for
// the emulation. Pointers are device addresses. Rows follow one another without gaps unless there
// is a distance `ld`.

/// The sizes that kernels and host share, in order: the elements of a slice that one block updates;
/// the rows of a scatter's stretch; the rows of an attention's tile, in float32 and in bfloat16;
/// the most queries or keys of a sequence that one block takes whole; the most sequences that a
/// launch may choose; the most threads of a norm's row; the most rows and columns of a thin
/// product.
enum {
  HERO_UPDATE_STRETCH = 2048,
  HERO_SCATTER_STRETCH = 256,
  HERO_FLOAT_TILE = 32,
  HERO_BFLOAT_TILE = 32,
  HERO_SHORT_ROWS = 64,
  HERO_CHOSEN_SEQUENCES = 128,
  HERO_NORM_THREADS = 512,
  HERO_THIN_ROWS = 32,
  HERO_THIN_COLUMNS = 4096
};

/// Elements of a tensor: float32, or bfloat16 where `bf16` is set.
typedef struct {
  void *data;
  int bf16;
} hero_view;

// Elements

typedef struct { hero_view y; double *sums; float value; long long count; } hero_fill_arguments;
/// y = factor·x + (accumulate ? y : 0)
typedef struct { hero_view x, y; float factor; int accumulate; long long count; } hero_copy_arguments;
/// y = the IEEE halves x, which are finite
typedef struct { const unsigned short *x; hero_view y; long long count; } hero_halves_arguments;
/// pre += bias (none: no pointer; float32), out = gelu(pre) or relu(pre) or pre.
typedef struct { hero_view pre, out; const float *bias; long long rows, columns; int activation; } hero_bias_arguments;
/// dy *= activation'(saved); `out`, if given, becomes gelu(saved). The kernel with sums also adds
/// up dy's columns in `parts`, as `hero_columns_arguments` does.
typedef struct {
  hero_view dy, saved, out;
  float *parts;
  long long rows, columns, rows_per_part;
  int activation;
} hero_slope_arguments;

/// pre = x·weightᵀ + bias (none: no pointer), out = activation(pre): x [rows, inner] and weight
/// [columns, inner] of bfloat16.
typedef struct {
  const unsigned short *x, *weight;
  const float *bias;
  hero_view pre, out;
  long long rows, columns, inner;
  int activation;
} hero_thin_arguments;

// Sums

/// parts[part][column] = Σ of x over the rows of that part; `hero_parts_arguments` then adds the
/// parts.
typedef struct { hero_view x; float *parts; long long rows, columns, rows_per_part; } hero_columns_arguments;
/// For each target t: to[t][i] = Σ over parts of parts[part * stride + t * count + i] + (accumulate
/// ? to[t][i] : 0)
typedef struct {
  const float *parts;
  hero_view to[3];
  long long count, stride;
  int part_count, accumulate[3];
} hero_parts_arguments;
/// parts[block] = Σ x (squared where `squares`) over that block's stretch of elements.
typedef struct { hero_view x; double *parts; long long count, stretch; int squares; } hero_sum_arguments;
/// *to += scale · Σ parts
typedef struct { const double *parts; double *to; double scale; int part_count; } hero_total_arguments;

// Rows

typedef struct { hero_view table; const int *indices; } hero_term;
typedef struct {
  hero_term terms[4];
  hero_view out;
  long long rows, columns;
  int term_count, accumulate;
} hero_gather_arguments;
/// Rows with equal indices are added in their order: first within stretches of rows, then over the
/// stretches. Three counts by index begin at 0: `uses` is its rows, `leads` its stretches, and
/// `firsts` its first leading row, counted from the end.
typedef struct {
  hero_view from, to;
  const int *indices;
  int *leaders, *uses, *leads, *firsts;
  float *parts;
  long long rows, columns;
} hero_scatter_arguments;
typedef struct { hero_view x, out; long long rows, columns; } hero_transpose_arguments;
typedef struct {
  hero_view x, residual, sum, out;
  const float *gamma, *beta;
  float *statistics;
  long long rows, columns;
  float epsilon;
  int keeps_sum, units;
  hero_dropout inner, outer;
} hero_norm_arguments;
typedef struct {
  hero_view dy, sum, dx, d_residual;
  const float *gamma, *statistics;
  float *parts;
  long long rows, columns, rows_per_part;
  int accumulate_x, accumulate_residual, has_bias, units;
  hero_dropout inner, outer;
} hero_norm_backward_arguments;
typedef struct { hero_view x, out; float *lengths; long long rows, columns; float floor; } hero_unit_arguments;
typedef struct { hero_view dy, out, dx; const float *lengths; long long rows, columns; float floor; int accumulate; } hero_unit_backward_arguments;
/// The `kept` largest of each row's first `columns` elements; `values` may be missing.
typedef struct {
  hero_view x;
  float *values;
  int *places;
  const float *earlier_values;
  const int *earlier_places;
  long long columns, stride, kept, first_column, earlier;
} hero_top_arguments;

// Losses

typedef struct {
  hero_view logits;
  const int *targets;
  const int *starts;
  float *losses;
  long long stride, columns, segments;
  float smoothing, scale;
  int has_gradient;
} hero_entropy_arguments;
typedef struct { hero_view x; const int *targets; float *losses; long long count; float scale; int has_gradient; } hero_binary_arguments;
typedef struct { hero_view x, targets; float *losses; long long columns; float scale; int has_gradient; } hero_distance_arguments;
typedef struct {
  hero_view scores;
  const int *slots, *drawn;
  int *context_ranks, *query_ranks;
  float *gradient;
  double *losses;
  int queries, videos, slot_count, per_slot, is_hinge, pool_size;
  float margin, pool_weight, context_weight, query_weight;
} hero_ranking_arguments;

// Sequences

typedef struct {
  hero_view queries, keys, values, out, dy, d_queries, d_keys, d_values;
  const int *query_starts, *key_starts, *key_ends;
  float *log_sums, *deltas;
  long long ld_queries, ld_keys, ld_out, query_rows;
  int heads, head, causal;
  float scale;
  hero_dropout drop;
  // The sequences of a launch; if `chosen_count` is 0, all of them in their order.
  int chosen_count, chosen[HERO_CHOSEN_SEQUENCES];
} hero_attention_arguments;
typedef struct {
  hero_view x, scores, out, dy, dx, d_scores;
  const int *starts;
  float *weights, *dots;
  long long columns;
  int accumulate_x, accumulate_scores;
} hero_pool_arguments;
typedef struct { hero_view x, out, dy, dx; const int *starts; int *places; long long rows, columns, segments; } hero_most_arguments;
typedef struct {
  hero_view queries, x, out, dy, d_queries, dx;
  const int *first, *last, *places, *query_rows;
  long long pairs, rows, columns;
  int accumulate_queries, accumulate_x;
} hero_pairs_arguments;
typedef struct {
  hero_view x, out, dy, dx, d_kernel;
  const float *kernel;
  const int *starts;
  long long segments;
  int width, accumulate_x, accumulate_kernel;
} hero_convolution_arguments;

// Sequences that grow by a row a step

/// The new row of sequence s, [3 * width], holds its query, key and value. Key and value go to row
/// places[s] of the cache, which has `capacity` rows of keys and values for each sequence.
typedef struct {
  hero_view rows, cache, out;
  const int *places;
  long long sequences, capacity;
  int heads, head;
  float scale;
} hero_step_attention_arguments;
/// log[places[i]] = numbers[i] (none: no pointer); then places[i] and counters[i] grow by one.
typedef struct { const int *numbers; int *log, *places, *counters; long long count; } hero_append_arguments;

// Updates

/// `count` elements of the weights from `start` on; their gradients lie in a buffer of their own.
typedef struct {
  const float *gradients;
  long long start, count, first_block;
  float weight_decay, rate, step_size;
  unsigned int step;
} hero_slice;
typedef struct {
  float *values;
  unsigned short *copy;
  hero_view first, second;
  const hero_slice *slices;
  const double *squares;
  double limit;
  int slice_count, kind;
  float beta1, beta2, epsilon;
  unsigned int key[2];
} hero_update_arguments;

#endif
