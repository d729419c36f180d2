#ifndef HERO_DNNL_H
#define HERO_DNNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The part of oneDNN that image and video networks need, loaded at run time. Versions 2 and 3
/// describe operations in different ways; this interface hides that.
///
/// A function that fails returns NULL or false, and hero_dnnl_problem says why. Only one thread may
/// call at a time.

/// The layout of a tensor's elements in memory.
typedef struct hero_layout hero_layout;
/// An operation on tensors of fixed shapes, compiled for this processor.
typedef struct hero_primitive hero_primitive;

typedef enum { HERO_FLOAT32, HERO_BFLOAT16 } hero_element;

/// An argument that a primitive reads or writes.
typedef enum {
  HERO_SOURCE,
  HERO_WEIGHTS,
  HERO_BIAS,
  HERO_RESULT,
  HERO_SCRATCH,
  /// The second of two sources.
  HERO_SECOND,
  HERO_SCALE,
  HERO_SHIFT,
  /// The first of several sources; the others follow.
  HERO_SOURCES,
} hero_argument;

enum { HERO_MOST_DIMENSIONS = 6, HERO_MOST_SOURCES = 4 };

/// Loads the library, which then uses `threads` threads (0: as OpenMP decides). Returns NULL on
/// success, else what went wrong.
const char *hero_dnnl_load(int threads);
/// Returns why the last call failed.
const char *hero_dnnl_problem(void);
/// Returns the library's version and the instructions that it uses, as "2.6.3, AVX-512".
const char *hero_dnnl_summary(void);
/// Returns whether products are faster in bfloat16 than in float32 here: AVX512-BF16, AMX.
bool hero_dnnl_has_bfloat16(void);
// Returns whether networks in bfloat16 run at all, with or without instructions for it: oneDNN has
// no such convolutions for AVX2.
bool hero_dnnl_computes_bfloat16(void);

/// Makes a layout with elements `strides[d]` apart along dimension d.
hero_layout *hero_layout_strided(int dimensions, const int64_t *shape, const int64_t *strides, hero_element type);
/// Makes a row-major layout.
hero_layout *hero_layout_plain(int dimensions, const int64_t *shape, hero_element type);
/// Makes a layout that the primitive chooses.
hero_layout *hero_layout_any(int dimensions, const int64_t *shape, hero_element type);
bool hero_layout_equal(const hero_layout *a, const hero_layout *b);
size_t hero_layout_bytes(const hero_layout *layout);
void hero_layout_free(hero_layout *layout);

/// result = relu?(convolution(source, weights) + bias [+ result]). Each spatial dimension has a
/// stride and a padding of zeros before and after. `winograd` selects that algorithm, which oneDNN
/// has for 3×3 kernels in float32 only.
hero_primitive *hero_convolution(
    const hero_layout *source, const hero_layout *weights, const hero_layout *bias, const hero_layout *result,
    const int64_t *strides, const int64_t *before, const int64_t *after, bool add, bool relu, bool winograd);
/// Pools by the largest of each window, or by the mean; padding never counts.
hero_primitive *hero_pool(
    const hero_layout *source, const hero_layout *result, const int64_t *kernel, const int64_t *strides,
    const int64_t *before, const int64_t *after, bool mean);
/// result = source · second or source + second, element by element; a dimension of `second` may be
/// 1 and is then broadcast over `source`.
hero_primitive *hero_binary(
    const hero_layout *source, const hero_layout *second, const hero_layout *result, bool product);
/// The function applied to a product's result: none, x·sigmoid(1.702x), x·Φ(x), sigmoid(x).
typedef enum {
  HERO_AFTER_NOTHING,
  HERO_AFTER_QUICK_GELU,
  HERO_AFTER_GELU,
  HERO_AFTER_SIGMOID,
} hero_after;

/// result = source·weights [+ bias] [+ result], then the function `after`. Leading dimensions are
/// batches.
hero_primitive *hero_matmul(
    const hero_layout *source, const hero_layout *weights, const hero_layout *bias, const hero_layout *result,
    bool add, hero_after after);
/// Layer norm: (source − mean)/√(variance + epsilon)·scale + shift along the last dimension; scale
/// and shift are float32.
hero_primitive *hero_layer_norm(const hero_layout *source, float epsilon);
/// Softmax along dimension `axis`.
hero_primitive *hero_softmax(const hero_layout *source, int axis);
/// Puts the sources one after the other along dimension 1, in the layout of the result.
hero_primitive *hero_concatenation(int count, const hero_layout *const *sources, const hero_layout *result);
/// Copies elements into another layout or type.
hero_primitive *hero_reorder(const hero_layout *source, const hero_layout *result);

/// Returns the layout that the primitive wants (HERO_SOURCE, HERO_WEIGHTS, HERO_RESULT,
/// HERO_SCRATCH).
hero_layout *hero_primitive_layout(const hero_primitive *primitive, hero_argument argument);
/// Sets where the elements of an argument are; `place` counts further sources.
bool hero_primitive_bind(
    hero_primitive *primitive, hero_argument argument, int place, const hero_layout *layout, void *elements);
bool hero_primitive_run(hero_primitive *primitive);
/// Returns the name of oneDNN's implementation that the primitive runs.
const char *hero_primitive_implementation(const hero_primitive *primitive);
void hero_primitive_free(hero_primitive *primitive);

#endif
