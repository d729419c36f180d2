#ifndef HERO_KERNELS_H
#define HERO_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "hero_dropout.h"
#include "hero_rounding.h"

/// The loops that OpenBLAS does not cover, compiled once per instruction set and chosen at run
/// time.
///
/// Every function works on a range of rows or elements on the calling thread; the engine's pool
/// divides the work. Matrices are row-major; `ld…` is the distance between rows in elements. Values
/// are float32 or bfloat16.

/// A bfloat16: the upper half of a float32.
typedef struct {
  uint16_t bits;
} hero_bf16;

/// The most rows of one float32 sum, and the rows of a stretch. Sums of more rows add up the sums
/// of stretches, so that the error does not grow with the rows.
enum { HERO_SUMMED_ROWS = 16384, HERO_SUMMED_STRETCH = 256 };

typedef struct {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float step_size;      // learning rate with bias corrections
  float gradient_scale; // clipping
  uint32_t key[2], step; // what moments in bfloat16 are rounded with (hero_rounding.h)
} hero_adam;

enum { HERO_NO_ACTIVATION, HERO_RELU, HERO_GELU, HERO_QUICK_GELU };

/// The result that a product's sums become: out = activation(sums + bias), or out += sums.
typedef struct {
  void *out;
  long out_stride;
  const float *bias;  // or NULL
  int activation;
  void *pre;          // a GELU's argument, like `out`, which it may be
  bool accumulate;    // without activation
} hero_product_result;

/// A stretch of a product of packed factors. A group is sixteen rows of the left or sixteen columns
/// of the right, in which each word of the inner dimension takes sixteen words. A word is a pair of
/// bfloat16 (`pack_along`, `pack_across`) or a float32 (`pack_floats`). Each kernel set has its own
/// order of pairs in a group of the left. A stretch may begin at any word of the right.
typedef struct {
  const uint32_t *left, *right;
  long left_stride, right_stride;  // words from group to group
  long words;                      // of this stretch of the inner dimension
  // The sums of the stretches so far, with room for whole groups of rows and columns; NULL for a
  // single stretch.
  float *sums;
  long sums_stride;
  bool is_first, is_last;          // of the stretches
  hero_product_result result;      // used with the last stretch
} hero_packed_product;

/// A product of rows and columns in int8, packed by `pack_int8`. The sums are int32; each is scaled
/// by its row's and its column's scale.
typedef struct {
  const uint32_t *left, *right;
  long left_stride, right_stride;  // words from group to group
  long quads;                      // fours of the inner dimension
  const float *row_scales, *column_scales;
  const int32_t *starts;           // what the sums of each column start with
  hero_product_result result;
} hero_int8_product;

/// The planes that a query reads of the bits of many frames, in groups of sixteen that have one
/// weight. HERO_NO_PLANE pads a group.
typedef struct {
  const uint32_t *planes;     // [groups][16]
  const uint8_t *places;      // [groups]: a bit that is set counts 2^place
  const uint8_t *inverted;    // [groups]: 1 where bits that are not set count
  long groups;
  long levels;                // bits that the largest sum has, HERO_PLANE_LEVELS at most
  float scale, shift, centre; // a frame's estimate is centre + factor * (scale * sum - shift)
} hero_plane_query;

/// The frames of a block, the number to whose multiples they are padded, and the most levels of a
/// sum.
enum { HERO_BLOCK_FRAMES = 8192, HERO_BLOCK_STEP = 512, HERO_PLANE_LEVELS = 12 };
static const uint32_t HERO_NO_PLANE = UINT32_MAX;

/// Loops over values of one type, float32 or bfloat16, to which `void *` points. They read and
/// write values of this type and compute in float32; `float *` is float32 for both types.
typedef struct {
  void (*relu_backward)(void *dx, const void *dy, const void *y, long n);
  void (*gelu_backward)(void *dx, const void *dy, const void *pre, long n);
  // out = gelu(pre), and dy becomes dy * gelu'(pre).
  void (*gelu_again)(void *out, void *dy, const void *pre, long n);
  void (*column_sums)(float *sums, const void *x, long ldx, long rows, long columns, bool accumulate);

  // Layer norm over s = residual + dropout(x), with dropout on the result as well. scratch:
  // `columns` floats.
  void (*norm)(void *y, void *s, float *mean, float *inverse, const void *x, const void *residual,
               const float *gamma, const float *beta, float epsilon, long first_row, long rows, long columns,
               const hero_dropout *drop_in, const hero_dropout *drop_out, float *scratch);
  // ds goes to d_residual (added if accumulate_residual) and, masked by drop_in, to dx (added if
  // accumulate_x). scratch: 2 * columns floats.
  void (*norm_backward)(void *dx, bool accumulate_x, void *d_residual, bool accumulate_residual,
                        float *d_gamma, float *d_beta, const void *dy, const void *s, const float *mean,
                        const float *inverse, const float *gamma, long first_row, long rows, long columns,
                        const hero_dropout *drop_in, const hero_dropout *drop_out, float *scratch);

  // One head of one sequence. probabilities: query_count x padded key_count. scratch:
  // `hero_attention_scratch` floats.
  void (*attention)(void *out, long ld_out, void *probabilities, const void *q, long ldq, const void *k,
                    const void *v, long ldk, long query_count, long key_count, long head, float scale,
                    bool causal, long drop_first_row, const hero_dropout *drop, float *scratch);
  void (*attention_backward)(void *dq, long ld_dq, void *dk, void *dv, long ld_dk, const void *d_out,
                             long ld_out, const void *probabilities, const void *q, long ldq, const void *k,
                             const void *v, long ldk, long query_count, long key_count, long head,
                             float scale, long drop_first_row, const hero_dropout *drop, float *scratch);

  // Pack items of any values as bfloat16 in groups of sixteen, `stride` words apart, the last
  // padded with zeros. Items are rows (item i at from + i * ld) or columns (item i at from + i, the
  // inner dimension going down). `left` says which factor of a product they are.
  void (*pack_along)(uint32_t *to, long stride, const void *from, long ld, long count, long inner, bool left);
  void (*pack_across)(uint32_t *to, long stride, const void *from, long ld, long count, long inner, bool left);
  // Packs rows as int8, each by its own scale, which is the largest magnitude / 127. Groups are of
  // sixteen rows, `stride` words apart. Every four of the inner dimension take sixteen words;
  // missing ones are 0. A row with an infinity or a NaN has the scale NaN. A left factor's bytes
  // are shifted by 128, and `starts` is NULL. A right factor's are signed, and `starts` takes away
  // what the shift adds: -128 times the sum of the item's bytes. `scales` and `starts` have room
  // for whole groups.
  void (*pack_int8)(uint32_t *to, long stride, float *scales, int32_t *starts, const void *from, long ld, long count,
                    long inner);
  // Products whose result is of these values.
  void (*bf16_product)(const hero_packed_product *product, long rows, long columns);
  void (*int8_product)(const hero_int8_product *product, long rows, long columns);

  // Optimizers over one run of parameters whose moments m and v are of these values. `place` is the
  // place of the first in the arena.
  void (*adamw)(float *p, const float *g, void *m, void *v, long place, long n, const hero_adam *o);
  void (*adam)(float *p, const float *g, void *m, void *v, long place, long n, const hero_adam *o);
  void (*adamax)(float *p, const float *g, void *m, void *v, long place, long n, const hero_adam *o);
} hero_value_loops;

typedef struct {
  const char *name;
  bool multiplies_bf16;  // whether the processor multiplies bfloat16 itself
  bool multiplies_int8;  // and int8, four products at a time
  const hero_value_loops *floats, *bf16;

  // Element-wise
  void (*add)(float *y, const float *x, long n);                       // y += x
  void (*scale)(float *y, float factor, long n);                       // y *= factor
  double (*sum_of_squares)(const float *x, long n);
  void (*bias)(float *y, const float *bias, long rows, long columns);  // y += bias
  void (*bias_relu)(float *y, const float *bias, long rows, long columns);
  void (*bias_gelu)(float *pre, float *out, const float *bias, long rows, long columns);
  // x * sigmoid(1.702 x) of x = y + bias.
  void (*bias_quick_gelu)(float *y, const float *bias, long rows, long columns);
  void (*widen)(float *to, const hero_bf16 *from, long n);
  void (*narrow)(hero_bf16 *to, const float *from, long n);           // rounds to the nearest
  // Converts floats to IEEE halves; false, and `to` is useless, if one of them is not itself a
  // finite half.
  bool (*halve)(uint16_t *to, const float *from, long n);
  void (*add_bf16)(float *y, const hero_bf16 *x, long n);           // y += x

  // C = X Wᵀ for at most 32 rows: x is transposed, [inner x padded(rows)]; w is [columns x inner],
  // c [rows x columns].
  void (*thin_product)(float *c, long ldc, const float *x, long rows, const float *w, long columns, long inner);

  // Packs items of float32 as `pack_along` packs those of bfloat16, and multiplies them. NULL where
  // vectors are shorter than sixteen: OpenBLAS is as fast there.
  void (*pack_floats)(uint32_t *to, long stride, const float *from, long ld, long count, long inner);
  void (*float_product)(const hero_packed_product *product, long rows, long columns);

  // Losses. Row-wise log-sum-exp of x[0 ..< columns].
  float (*log_sum_exp)(const float *x, long columns);
  // x = exp(x - shift) * factor
  void (*exp_shift_scale)(float *x, float shift, float factor, long n);
  float (*sum)(const float *x, long n);
  float (*dot)(const float *x, const float *y, long n);
  void (*axpy)(float *y, float factor, const float *x, long n);        // y += factor * x

  // Search among rows that are stored in few bits, at any address.
  // x . row, for rows of bfloat16 and of signed bytes.
  float (*bf16_dot)(const float *x, const void *row, long n);
  float (*byte_dot)(const float *x, const int8_t *row, long n);
  // For each record of a float f and `words` words of bits, f * (scale * sum + offset * ones -
  // shift), where `sum` adds up 2^k * |bits & plane k| over the four planes, [4][words], and `ones`
  // is |bits|.
  void (*sign_products)(float *out, const void *records, long rows, long words, const uint64_t *planes, float scale,
                        float offset, float shift);
  // Estimates frames `first` ... `first + frames` of a block. A block has two bfloat16 factors for
  // each frame, all first ones before all second ones, then planes of `stride` bytes. The estimates
  // use the first factors. `first` and `frames` are multiples of HERO_BLOCK_STEP.
  void (*plane_estimates)(float *out, const void *block, long stride, long first, long frames,
                          const hero_plane_query *query);
  // Lists the numbers of the elements that are at least as large as `least`; returns how many.
  long (*reaching)(uint32_t *numbers, const float *x, long n, float least);
  // For each numbered record, centre + f * (scale * sum - shift): `sum` is codes . query, and f is
  // the bfloat16 factor of that number. A record has codes of two bits in groups of 32 bytes. Byte
  // b of group g has elements 128 g + b + 32 k, k = 0 ... 3, the first in its lowest bits. query:
  // [groups][128].
  void (*code_estimates)(float *out, const void *records, const void *factors, const uint32_t *numbers, long count,
                         long groups, const int8_t *query, float scale, float shift, float centre);
} hero_kernels;

/// Prefetches `count` bytes.
static inline void hero_prefetch(const void *bytes, long count) {
  for (long i = 0; i < count; i += 64) __builtin_prefetch((const char *)bytes + i);
}

/// Returns the best kernels for this processor; HERO_KERNELS=base|avx2|avx512|avx512bf16|amx in the
/// environment overrides the choice. A name that is none of this processor's is ignored.
const hero_kernels *hero_kernels_best(void);

enum { HERO_KERNEL_SETS = 5 };

/// Lists every kernel set that this processor can run, for the tests. Returns their number.
int hero_kernels_all(const hero_kernels *sets[HERO_KERNEL_SETS]);

/// Returns the floats of scratch that `attention` and `attention_backward` need.
long hero_attention_scratch(long query_count, long key_count, long head);

/// Rounds a number of keys up to the width of a stored row of probabilities.
static inline __attribute__((always_inline)) long hero_padded(long n) { return (n + 15) & ~15L; }

/// Tells the processor that this is a spin loop.
static inline void hero_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
