#ifndef HERO_DNNL_H
#define HERO_DNNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// oneDNN, as much of it as image and video networks need, loaded at run time. Versions 2 and 3
/// have different ways to describe an operation; they end here.
///
/// Everything that can fail returns NULL or false, and hero_dnnl_problem says why. One thread at a
/// time.

/// How the elements of a tensor lie in memory.
typedef struct hero_layout hero_layout;
/// An operation on tensors of fixed shapes, compiled for this processor.
typedef struct hero_primitive hero_primitive;

typedef enum { HERO_FLOAT32, HERO_BFLOAT16 } hero_element;

/// What a primitive reads or writes.
typedef enum {
  HERO_SOURCE,
  HERO_WEIGHTS,
  HERO_BIAS,
  HERO_RESULT,
  HERO_SCRATCH,
  /// Of two sources the second.
  HERO_SECOND,
  HERO_SCALE,
  HERO_SHIFT,
  /// The first of several sources; the others follow.
  HERO_SOURCES,
} hero_argument;

enum { HERO_MOST_DIMENSIONS = 6, HERO_MOST_SOURCES = 4 };

/// Loads the library, which then uses so many threads (0: as OpenMP decides). Returns NULL on
/// success, else what went wrong.
const char *hero_dnnl_load(int threads);
/// Why the last call failed.
const char *hero_dnnl_problem(void);
/// The library's version and the instructions that it uses, as "2.6.3, AVX-512".
const char *hero_dnnl_summary(void);
/// Whether products of bfloat16 are faster here than those of float32: AVX512-BF16, AMX.
bool hero_dnnl_has_bfloat16(void);
// Whether networks in bfloat16 run at all, with or without instructions for it: oneDNN has no such
// convolutions for AVX2.
bool hero_dnnl_computes_bfloat16(void);

/// Elements `strides[d]` apart along dimension d.
hero_layout *hero_layout_strided(int dimensions, const int64_t *shape, const int64_t *strides, hero_element type);
/// Row-major.
hero_layout *hero_layout_plain(int dimensions, const int64_t *shape, hero_element type);
/// Left for the primitive to choose.
hero_layout *hero_layout_any(int dimensions, const int64_t *shape, hero_element type);
bool hero_layout_equal(const hero_layout *a, const hero_layout *b);
size_t hero_layout_bytes(const hero_layout *layout);
void hero_layout_free(hero_layout *layout);

/// result = relu?(convolution(source, weights) + bias [+ result]). Strides, and zeros before and
/// after, for each of the spatial dimensions. With `winograd` by that algorithm, of which oneDNN
/// has 3×3 kernels in float32 only.
hero_primitive *hero_convolution(
    const hero_layout *source, const hero_layout *weights, const hero_layout *bias, const hero_layout *result,
    const int64_t *strides, const int64_t *before, const int64_t *after, bool add, bool relu, bool winograd);
/// The largest of each window, or the mean; padding never counts.
hero_primitive *hero_pool(
    const hero_layout *source, const hero_layout *result, const int64_t *kernel, const int64_t *strides,
    const int64_t *before, const int64_t *after, bool mean);
/// result = source · second or source + second, element by element; a dimension of `second` may be
/// 1 and counts for all of `source`.
hero_primitive *hero_binary(
    const hero_layout *source, const hero_layout *second, const hero_layout *result, bool product);
/// What is done to a product's result: nothing, x·sigmoid(1.702x), x·Φ(x), sigmoid(x).
typedef enum {
  HERO_AFTER_NOTHING,
  HERO_AFTER_QUICK_GELU,
  HERO_AFTER_GELU,
  HERO_AFTER_SIGMOID,
} hero_after;

/// result = source·weights [+ bias] [+ result], then what `after` says. Leading dimensions are
/// batches.
hero_primitive *hero_matmul(
    const hero_layout *source, const hero_layout *weights, const hero_layout *bias, const hero_layout *result,
    bool add, hero_after after);
/// (source − mean)/√(variance + epsilon)·scale + shift along the last dimension; scale and shift
/// are float32.
hero_primitive *hero_layer_norm(const hero_layout *source, float epsilon);
/// Along dimension `axis`.
hero_primitive *hero_softmax(const hero_layout *source, int axis);
/// The sources one after the other along dimension 1, in the layout of the result.
hero_primitive *hero_concatenation(int count, const hero_layout *const *sources, const hero_layout *result);
/// The same elements in another layout or type.
hero_primitive *hero_reorder(const hero_layout *source, const hero_layout *result);

/// What the primitive wants there (HERO_SOURCE, HERO_WEIGHTS, HERO_RESULT, HERO_SCRATCH).
hero_layout *hero_primitive_layout(const hero_primitive *primitive, hero_argument argument);
/// Where the elements of an argument are, from now on; `place` counts further sources.
bool hero_primitive_bind(
    hero_primitive *primitive, hero_argument argument, int place, const hero_layout *layout, void *elements);
bool hero_primitive_run(hero_primitive *primitive);
/// Which of oneDNN's implementations it is.
const char *hero_primitive_implementation(const hero_primitive *primitive);
void hero_primitive_free(hero_primitive *primitive);

#endif
