#include "CDNNL.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_version.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

#if DNNL_VERSION_MAJOR == 2
typedef const dnnl_memory_desc_t *view;
#define FUNCTIONS_OF_THE_VERSION(X)        \
  X(dnnl_memory_desc_init_by_strides)      \
  X(dnnl_memory_desc_init_by_tag)          \
  X(dnnl_convolution_forward_desc_init)    \
  X(dnnl_pooling_forward_desc_init)        \
  X(dnnl_matmul_desc_init)                 \
  X(dnnl_layer_normalization_forward_desc_init) \
  X(dnnl_softmax_forward_desc_init)        \
  X(dnnl_binary_desc_init)                 \
  X(dnnl_primitive_desc_create)
#elif DNNL_VERSION_MAJOR == 3
typedef const_dnnl_memory_desc_t view;
#define FUNCTIONS_OF_THE_VERSION(X)                 \
  X(dnnl_memory_desc_create_with_strides)           \
  X(dnnl_memory_desc_create_with_tag)               \
  X(dnnl_memory_desc_clone)                         \
  X(dnnl_memory_desc_destroy)                       \
  X(dnnl_convolution_forward_primitive_desc_create) \
  X(dnnl_pooling_forward_primitive_desc_create)     \
  X(dnnl_matmul_primitive_desc_create)              \
  X(dnnl_layer_normalization_forward_primitive_desc_create) \
  X(dnnl_softmax_forward_primitive_desc_create)           \
  X(dnnl_binary_primitive_desc_create)
#else
#error "oneDNN of version 2 or 3 is needed (libdnnl-dev)"
#endif

#define FUNCTIONS(X)                     \
  FUNCTIONS_OF_THE_VERSION(X)            \
  X(dnnl_engine_create)                  \
  X(dnnl_stream_create)                  \
  X(dnnl_stream_wait)                    \
  X(dnnl_version)                        \
  X(dnnl_get_effective_cpu_isa)          \
  X(dnnl_memory_desc_equal)              \
  X(dnnl_memory_desc_get_size)           \
  X(dnnl_primitive_attr_create)          \
  X(dnnl_primitive_attr_destroy)         \
  X(dnnl_primitive_attr_set_scratchpad_mode) \
  X(dnnl_primitive_attr_set_post_ops)    \
  X(dnnl_post_ops_create)                \
  X(dnnl_post_ops_destroy)               \
  X(dnnl_post_ops_append_eltwise)        \
  X(dnnl_post_ops_append_sum)            \
  X(dnnl_concat_primitive_desc_create)   \
  X(dnnl_reorder_primitive_desc_create)  \
  X(dnnl_primitive_desc_destroy)         \
  X(dnnl_primitive_desc_query)           \
  X(dnnl_primitive_desc_query_md)        \
  X(dnnl_primitive_create)               \
  X(dnnl_primitive_execute)              \
  X(dnnl_primitive_destroy)              \
  X(dnnl_memory_create)                  \
  X(dnnl_memory_destroy)

static struct {
#define DECLARE(name) __typeof__(name) *name;
  FUNCTIONS(DECLARE)
} dnnl;

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static int threads;
static const char *loading_problem;
static char problem[256];

static bool fine(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) return true;
  const char *reason = status == dnnl_out_of_memory       ? "out of memory"
                       : status == dnnl_invalid_arguments ? "impossible shapes"
                       : status == dnnl_unimplemented     ? "not implemented for this processor"
                                                          : "a runtime error";
  snprintf(problem, sizeof problem, "%s: %s", what, reason);
  return false;
}

/// Opens oneDNN, a release's own library first.
///
/// Debian 12 and Ubuntu name the library by its major version. Debian 13 adds a minor one, which
/// may differ from the headers'. A major version keeps the functions that it had.
static void *open_library(void) {
  static const char *const names[] = {
      "libhero-dnnl.so." TEXT(DNNL_VERSION_MAJOR), "libdnnl.so." TEXT(DNNL_VERSION_MAJOR)};
  void *library = NULL;
  for (int i = 0; !library && i < 2; i++) {
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (library) return library;
    const char *reason = dlerror();
    snprintf(problem, sizeof problem, "%s", reason ? reason : "no reason given");
    for (int minor = 0; !library && minor < 32; minor++) {
      char name[64];
      snprintf(name, sizeof name, "%s.%d", names[i], minor);
      library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
  }
  return library;
}

static void load(void) {
  // Otherwise OpenMP's waiting threads spin and take time from those that work. Extracting features
  // took four to seven times as long beside other work, and a fifth more alone.
  setenv("OMP_WAIT_POLICY", "passive", 0);
  if (threads > 0) {
    char text[16];
    snprintf(text, sizeof text, "%d", threads);
    setenv("OMP_NUM_THREADS", text, 1);
  }
  void *library = open_library();
  if (!library) {
    loading_problem = problem;
    return;
  }
#define FIND(name)                                                                    \
  dnnl.name = (__typeof__(name) *)dlsym(library, #name);                              \
  if (!dnnl.name) {                                                                   \
    loading_problem = "libdnnl.so." TEXT(DNNL_VERSION_MAJOR) " has no " #name;        \
    return;                                                                           \
  }
  FUNCTIONS(FIND)
  if (!fine(dnnl.dnnl_engine_create(&engine, dnnl_cpu, 0), "starting oneDNN") ||
      !fine(dnnl.dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "starting oneDNN"))
    loading_problem = problem;
}

const char *hero_dnnl_load(int count) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  threads = count;
  pthread_once(&once, load);
  return loading_problem;
}

const char *hero_dnnl_problem(void) { return problem; }

/// Returns whether oneDNN uses some of x86-64's instructions.
///
/// The names are sets of bits: newer instructions have the bits of the older ones that they
/// include.
static bool has(dnnl_cpu_isa_t wanted) {
#if defined(__x86_64__)
  return (dnnl.dnnl_get_effective_cpu_isa() & wanted) == wanted;
#else
  return false;
#endif
}

bool hero_dnnl_has_bfloat16(void) { return has(dnnl_cpu_isa_avx512_core_bf16); }

bool hero_dnnl_computes_bfloat16(void) {
#if defined(__x86_64__)
  return has(dnnl_cpu_isa_avx512_core);
#else
  return true;
#endif
}

const char *hero_dnnl_summary(void) {
  static char text[64];
  const dnnl_version_t *version = dnnl.dnnl_version();
  const char *name = has(dnnl_cpu_isa_avx512_core_amx)    ? "AMX"
                     : has(dnnl_cpu_isa_avx512_core_bf16) ? "AVX512-BF16"
                     : has(dnnl_cpu_isa_avx512_core)      ? "AVX-512"
                     : has(dnnl_cpu_isa_avx2)             ? "AVX2"
#if defined(__x86_64__)
                                                          : "the processor's basic instructions";
#else
                                                          : "the instructions that it chooses itself";
#endif
  snprintf(text, sizeof text, "%d.%d.%d, %s", version->major, version->minor, version->patch, name);
  return text;
}

// Layouts

struct hero_layout {
  dnnl_memory_desc_t description;
};

static view view_of(const hero_layout *layout) {
#if DNNL_VERSION_MAJOR == 2
  return layout ? &layout->description : NULL;
#else
  return layout ? layout->description : NULL;
#endif
}

static dnnl_data_type_t type_of(hero_element type) { return type == HERO_BFLOAT16 ? dnnl_bf16 : dnnl_f32; }

hero_layout *hero_layout_strided(int dimensions, const int64_t *shape, const int64_t *strides, hero_element type) {
  hero_layout *layout = calloc(1, sizeof *layout);
  if (!layout) return NULL;
#if DNNL_VERSION_MAJOR == 2
  dnnl_status_t status =
      dnnl.dnnl_memory_desc_init_by_strides(&layout->description, dimensions, shape, type_of(type), strides);
#else
  dnnl_status_t status =
      dnnl.dnnl_memory_desc_create_with_strides(&layout->description, dimensions, shape, type_of(type), strides);
#endif
  if (fine(status, "layout")) return layout;
  free(layout);
  return NULL;
}

hero_layout *hero_layout_plain(int dimensions, const int64_t *shape, hero_element type) {
  int64_t strides[HERO_MOST_DIMENSIONS], next = 1;
  if (dimensions > HERO_MOST_DIMENSIONS) return NULL;
  for (int d = dimensions - 1; d >= 0; d--) {
    strides[d] = next;
    next *= shape[d];
  }
  return hero_layout_strided(dimensions, shape, strides, type);
}

hero_layout *hero_layout_any(int dimensions, const int64_t *shape, hero_element type) {
  hero_layout *layout = calloc(1, sizeof *layout);
  if (!layout) return NULL;
#if DNNL_VERSION_MAJOR == 2
  dnnl_status_t status = dnnl.dnnl_memory_desc_init_by_tag(
      &layout->description, dimensions, shape, type_of(type), dnnl_format_tag_any);
#else
  dnnl_status_t status = dnnl.dnnl_memory_desc_create_with_tag(
      &layout->description, dimensions, shape, type_of(type), dnnl_format_tag_any);
#endif
  if (fine(status, "layout")) return layout;
  free(layout);
  return NULL;
}

static hero_layout *copy_of(view description) {
  hero_layout *layout = calloc(1, sizeof *layout);
  if (!layout) return NULL;
#if DNNL_VERSION_MAJOR == 2
  layout->description = *description;
#else
  if (dnnl.dnnl_memory_desc_clone(&layout->description, description) != dnnl_success) {
    free(layout);
    return NULL;
  }
#endif
  return layout;
}

bool hero_layout_equal(const hero_layout *a, const hero_layout *b) {
  return dnnl.dnnl_memory_desc_equal(view_of(a), view_of(b));
}

size_t hero_layout_bytes(const hero_layout *layout) { return dnnl.dnnl_memory_desc_get_size(view_of(layout)); }

void hero_layout_free(hero_layout *layout) {
#if DNNL_VERSION_MAJOR == 3
  if (layout) dnnl.dnnl_memory_desc_destroy(layout->description);
#endif
  free(layout);
}

// Primitives

enum { MOST_ARGUMENTS = 8 };

struct hero_primitive {
  dnnl_primitive_desc_t description;
  dnnl_primitive_t primitive;
  int count;
  dnnl_exec_arg_t arguments[MOST_ARGUMENTS];
};

/// Returns attributes: what is done to the result before it is stored, and scratch from the caller.
static dnnl_primitive_attr_t attributes(bool add, bool relu, hero_after after_product) {
  dnnl_primitive_attr_t made = NULL;
  if (dnnl.dnnl_primitive_attr_create(&made) != dnnl_success) return NULL;
  dnnl.dnnl_primitive_attr_set_scratchpad_mode(made, dnnl_scratchpad_mode_user);
  dnnl_post_ops_t after = NULL;
  if (dnnl.dnnl_post_ops_create(&after) != dnnl_success) return made;
#if DNNL_VERSION_MAJOR == 2
  if (add) dnnl.dnnl_post_ops_append_sum(after, 1);
  if (relu) dnnl.dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0);
  if (after_product == HERO_AFTER_QUICK_GELU)
    dnnl.dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_swish, 1.702f, 0);
  if (after_product == HERO_AFTER_GELU) dnnl.dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_gelu_erf, 0, 0);
  if (after_product == HERO_AFTER_SIGMOID) dnnl.dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_logistic, 0, 0);
#else
  if (add) dnnl.dnnl_post_ops_append_sum(after, 1, 0, dnnl_data_type_undef);
  if (relu) dnnl.dnnl_post_ops_append_eltwise(after, dnnl_eltwise_relu, 0, 0);
  if (after_product == HERO_AFTER_QUICK_GELU)
    dnnl.dnnl_post_ops_append_eltwise(after, dnnl_eltwise_swish, 1.702f, 0);
  if (after_product == HERO_AFTER_GELU) dnnl.dnnl_post_ops_append_eltwise(after, dnnl_eltwise_gelu_erf, 0, 0);
  if (after_product == HERO_AFTER_SIGMOID) dnnl.dnnl_post_ops_append_eltwise(after, dnnl_eltwise_logistic, 0, 0);
#endif
  dnnl.dnnl_primitive_attr_set_post_ops(made, after);
  dnnl.dnnl_post_ops_destroy(after);
  return made;
}

static hero_primitive *finish(
    dnnl_status_t status, dnnl_primitive_desc_t description, dnnl_primitive_attr_t attributes, const char *what) {
  dnnl.dnnl_primitive_attr_destroy(attributes);
  if (!fine(status, what)) return NULL;
  hero_primitive *made = calloc(1, sizeof *made);
  if (made && fine(dnnl.dnnl_primitive_create(&made->primitive, description), what)) {
    made->description = description;
    return made;
  }
  dnnl.dnnl_primitive_desc_destroy(description);
  free(made);
  return NULL;
}

hero_primitive *hero_convolution(
    const hero_layout *source, const hero_layout *weights, const hero_layout *bias, const hero_layout *result,
    const int64_t *strides, const int64_t *before, const int64_t *after, bool add, bool relu, bool winograd) {
  const dnnl_alg_kind_t algorithm = winograd ? dnnl_convolution_winograd : dnnl_convolution_direct;
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(add, relu, HERO_AFTER_NOTHING);
#if DNNL_VERSION_MAJOR == 2
  dnnl_convolution_desc_t wanted;
  dnnl_status_t status = dnnl.dnnl_convolution_forward_desc_init(
      &wanted, dnnl_forward_inference, algorithm, view_of(source), view_of(weights), view_of(bias),
      view_of(result), strides, before, after);
  if (status == dnnl_success) status = dnnl.dnnl_primitive_desc_create(&description, &wanted, attr, engine, NULL);
#else
  static const int64_t dense[HERO_MOST_DIMENSIONS];
  dnnl_status_t status = dnnl.dnnl_convolution_forward_primitive_desc_create(
      &description, engine, dnnl_forward_inference, algorithm, view_of(source), view_of(weights),
      view_of(bias), view_of(result), strides, dense, before, after, attr);
#endif
  return finish(status, description, attr, "convolution");
}

hero_primitive *hero_pool(
    const hero_layout *source, const hero_layout *result, const int64_t *kernel, const int64_t *strides,
    const int64_t *before, const int64_t *after, bool mean) {
  const dnnl_alg_kind_t algorithm = mean ? dnnl_pooling_avg_exclude_padding : dnnl_pooling_max;
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(false, false, HERO_AFTER_NOTHING);
#if DNNL_VERSION_MAJOR == 2
  dnnl_pooling_desc_t wanted;
  dnnl_status_t status = dnnl.dnnl_pooling_forward_desc_init(
      &wanted, dnnl_forward_inference, algorithm, view_of(source), view_of(result), strides, kernel, before, after);
  if (status == dnnl_success) status = dnnl.dnnl_primitive_desc_create(&description, &wanted, attr, engine, NULL);
#else
  static const int64_t dense[HERO_MOST_DIMENSIONS];
  dnnl_status_t status = dnnl.dnnl_pooling_forward_primitive_desc_create(
      &description, engine, dnnl_forward_inference, algorithm, view_of(source), view_of(result), strides, kernel,
      dense, before, after, attr);
#endif
  return finish(status, description, attr, "pooling");
}

hero_primitive *hero_binary(
    const hero_layout *source, const hero_layout *second, const hero_layout *result, bool product) {
  const dnnl_alg_kind_t algorithm = product ? dnnl_binary_mul : dnnl_binary_add;
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(false, false, HERO_AFTER_NOTHING);
#if DNNL_VERSION_MAJOR == 2
  dnnl_binary_desc_t wanted;
  dnnl_status_t status =
      dnnl.dnnl_binary_desc_init(&wanted, algorithm, view_of(source), view_of(second), view_of(result));
  if (status == dnnl_success) status = dnnl.dnnl_primitive_desc_create(&description, &wanted, attr, engine, NULL);
#else
  dnnl_status_t status = dnnl.dnnl_binary_primitive_desc_create(
      &description, engine, algorithm, view_of(source), view_of(second), view_of(result), attr);
#endif
  return finish(status, description, attr, product ? "product" : "sum");
}

hero_primitive *hero_matmul(
    const hero_layout *source, const hero_layout *weights, const hero_layout *bias, const hero_layout *result,
    bool add, hero_after after) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(add, false, after);
#if DNNL_VERSION_MAJOR == 2
  dnnl_matmul_desc_t wanted;
  dnnl_status_t status =
      dnnl.dnnl_matmul_desc_init(&wanted, view_of(source), view_of(weights), view_of(bias), view_of(result));
  if (status == dnnl_success) status = dnnl.dnnl_primitive_desc_create(&description, &wanted, attr, engine, NULL);
#else
  dnnl_status_t status = dnnl.dnnl_matmul_primitive_desc_create(
      &description, engine, view_of(source), view_of(weights), view_of(bias), view_of(result), attr);
#endif
  return finish(status, description, attr, "matrix product");
}

hero_primitive *hero_layer_norm(const hero_layout *source, float epsilon) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(false, false, HERO_AFTER_NOTHING);
  const unsigned flags = dnnl_use_scale | dnnl_use_shift;
#if DNNL_VERSION_MAJOR == 2
  dnnl_layer_normalization_desc_t wanted;
  dnnl_status_t status = dnnl.dnnl_layer_normalization_forward_desc_init(
      &wanted, dnnl_forward_inference, view_of(source), NULL, epsilon, flags);
  if (status == dnnl_success) status = dnnl.dnnl_primitive_desc_create(&description, &wanted, attr, engine, NULL);
#else
  dnnl_status_t status = dnnl.dnnl_layer_normalization_forward_primitive_desc_create(
      &description, engine, dnnl_forward_inference, view_of(source), view_of(source), NULL, epsilon, flags, attr);
#endif
  return finish(status, description, attr, "layer norm");
}

hero_primitive *hero_softmax(const hero_layout *source, int axis) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(false, false, HERO_AFTER_NOTHING);
#if DNNL_VERSION_MAJOR == 2
  dnnl_softmax_desc_t wanted;
  dnnl_status_t status =
      dnnl.dnnl_softmax_forward_desc_init(&wanted, dnnl_forward_inference, view_of(source), axis);
  if (status == dnnl_success) status = dnnl.dnnl_primitive_desc_create(&description, &wanted, attr, engine, NULL);
#else
  dnnl_status_t status = dnnl.dnnl_softmax_forward_primitive_desc_create(
      &description, engine, dnnl_forward_inference, dnnl_softmax_accurate, view_of(source), view_of(source), axis,
      attr);
#endif
  return finish(status, description, attr, "softmax");
}

hero_primitive *hero_concatenation(int count, const hero_layout *const *sources, const hero_layout *result) {
  if (count > HERO_MOST_SOURCES) return NULL;
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(false, false, HERO_AFTER_NOTHING);
#if DNNL_VERSION_MAJOR == 2
  dnnl_memory_desc_t descriptions[HERO_MOST_SOURCES];
  for (int i = 0; i < count; i++) descriptions[i] = sources[i]->description;
  dnnl_status_t status = dnnl.dnnl_concat_primitive_desc_create(
      &description, view_of(result), count, 1, descriptions, attr, engine);
#else
  const_dnnl_memory_desc_t descriptions[HERO_MOST_SOURCES];
  for (int i = 0; i < count; i++) descriptions[i] = sources[i]->description;
  dnnl_status_t status = dnnl.dnnl_concat_primitive_desc_create(
      &description, engine, view_of(result), count, 1, descriptions, attr);
#endif
  return finish(status, description, attr, "concatenation");
}

hero_primitive *hero_reorder(const hero_layout *source, const hero_layout *result) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attr = attributes(false, false, HERO_AFTER_NOTHING);
  dnnl_status_t status = dnnl.dnnl_reorder_primitive_desc_create(
      &description, view_of(source), engine, view_of(result), engine, attr);
  return finish(status, description, attr, "reorder");
}

hero_layout *hero_primitive_layout(const hero_primitive *primitive, hero_argument argument) {
  const dnnl_query_t query = argument == HERO_SOURCE    ? dnnl_query_src_md
                             : argument == HERO_WEIGHTS ? dnnl_query_weights_md
                             : argument == HERO_RESULT  ? dnnl_query_dst_md
                                                        : dnnl_query_scratchpad_md;
  view found = dnnl.dnnl_primitive_desc_query_md(primitive->description, query, 0);
  return found ? copy_of(found) : NULL;
}

static int key_of(hero_argument argument, int place) {
  switch (argument) {
    case HERO_SOURCE: return DNNL_ARG_SRC;
    case HERO_WEIGHTS: return DNNL_ARG_WEIGHTS;
    case HERO_BIAS: return DNNL_ARG_BIAS;
    case HERO_RESULT: return DNNL_ARG_DST;
    case HERO_SCRATCH: return DNNL_ARG_SCRATCHPAD;
    case HERO_SECOND: return DNNL_ARG_SRC_1;
    case HERO_SCALE: return DNNL_ARG_SCALE;
    case HERO_SHIFT: return DNNL_ARG_SHIFT;
    case HERO_SOURCES: return DNNL_ARG_MULTIPLE_SRC + place;
  }
  return 0;
}

bool hero_primitive_bind(
    hero_primitive *primitive, hero_argument argument, int place, const hero_layout *layout, void *elements) {
  if (primitive->count == MOST_ARGUMENTS) return false;
  dnnl_memory_t memory = NULL;
  if (!fine(dnnl.dnnl_memory_create(&memory, view_of(layout), engine, elements), "memory")) return false;
  primitive->arguments[primitive->count++] = (dnnl_exec_arg_t){key_of(argument, place), memory};
  return true;
}

bool hero_primitive_run(hero_primitive *primitive) {
  return fine(
      dnnl.dnnl_primitive_execute(primitive->primitive, stream, primitive->count, primitive->arguments),
      "running a network") &&
         fine(dnnl.dnnl_stream_wait(stream), "running a network");
}

const char *hero_primitive_implementation(const hero_primitive *primitive) {
  const char *name = "unknown";
  dnnl.dnnl_primitive_desc_query(primitive->description, dnnl_query_impl_info_str, 0, &name);
  return name;
}

void hero_primitive_free(hero_primitive *primitive) {
  if (!primitive) return;
  for (int i = 0; i < primitive->count; i++) dnnl.dnnl_memory_destroy(primitive->arguments[i].memory);
  dnnl.dnnl_primitive_destroy(primitive->primitive);
  dnnl.dnnl_primitive_desc_destroy(primitive->description);
  free(primitive);
}
