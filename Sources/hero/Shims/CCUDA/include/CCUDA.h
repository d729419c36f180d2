#ifndef HERO_CCUDA_H
#define HERO_CCUDA_H

#include <stddef.h>
#include <stdint.h>

#include "kernel_arguments.h"

/// NCCL's ncclUniqueId, by which ranks find one another.
typedef struct {
  char bytes[128];
} hero_nccl_id;

/// The functions of NVIDIA's driver, NVRTC, cuBLASLt and NCCL that hero calls, as in their headers.
///
/// A function that returns an int returns 0 on success. A build needs nothing of CUDA; see
/// `hero_cuda_open`.
typedef struct {
  // Driver (libcuda.so.1)
  int (*error_string)(int error, const char **text);
  int (*start)(unsigned flags);
  int (*device_count)(int *count);
  int (*device_get)(int *device, int ordinal);
  int (*device_name)(char *name, int size, int device);
  int (*device_attribute)(int *value, int attribute, int device);
  int (*device_memory)(size_t *bytes, int device);
  int (*device_uuid)(char uuid[16], int device);
  int (*retain_context)(void **context, int device);
  int (*release_context)(int device);
  int (*set_context)(void *context);
  int (*stream_create)(void **stream, unsigned flags);
  int (*stream_destroy)(void *stream);
  int (*stream_synchronize)(void *stream);
  int (*stream_wait)(void *stream, void *event, unsigned flags);
  int (*event_create)(void **event, unsigned flags);
  int (*event_destroy)(void *event);
  int (*event_record)(void *event, void *stream);
  int (*event_query)(void *event);
  int (*event_synchronize)(void *event);
  int (*event_elapsed)(float *milliseconds, void *start, void *end);
  int (*default_pool)(void **pool, int device);
  int (*set_pool_attribute)(void *pool, int attribute, void *value);
  int (*get_pool_attribute)(void *pool, int attribute, void *value);
  int (*allocate)(uint64_t *address, size_t bytes, void *stream);
  int (*release)(uint64_t address, void *stream);
  int (*allocate_host)(void **memory, size_t bytes, unsigned flags);
  int (*release_host)(void *memory);
  int (*upload)(uint64_t to, const void *from, size_t bytes, void *stream);
  int (*download)(void *to, uint64_t from, size_t bytes, void *stream);
  int (*load_module)(void **module, const void *image);
  int (*unload_module)(void *module);
  int (*get_function)(void **function, void *module, const char *name);
  int (*set_function_attribute)(void *function, int attribute, int value);
  int (*launch)(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                unsigned block_z, unsigned shared_bytes, void *stream, void **arguments, void **extra);
  int (*begin_capture)(void *stream, unsigned mode);
  int (*end_capture)(void *stream, void **graph);
  int (*graph_instantiate)(void **executable, void *graph, unsigned long long flags);
  int (*graph_launch)(void *executable, void *stream);
  int (*graph_destroy)(void *graph);
  int (*graph_executable_destroy)(void *executable);
  // NVRTC (libnvrtc.so)
  int (*compiler_version)(int *major, int *minor);
  int (*program_create)(void **program, const char *source, const char *name, int header_count,
                        const char *const *headers, const char *const *header_names);
  int (*program_compile)(void *program, int option_count, const char *const *options);
  int (*program_log_size)(void *program, size_t *bytes);
  int (*program_log)(void *program, char *log);
  int (*program_binary_size)(void *program, size_t *bytes);
  int (*program_binary)(void *program, char *binary);
  int (*program_destroy)(void **program);
  // cuBLASLt (libcublasLt.so)
  size_t (*products_version)(void);
  int (*products_create)(void **handle);
  int (*products_destroy)(void *handle);
  int (*product_create)(void **product, int compute_type, int scale_type);
  int (*product_destroy)(void *product);
  int (*product_set)(void *product, int attribute, const void *value, size_t bytes);
  int (*layout_create)(void **layout, int type, uint64_t rows, uint64_t columns, int64_t ld);
  int (*layout_destroy)(void *layout);
  int (*preference_create)(void **preference);
  int (*preference_destroy)(void *preference);
  int (*preference_set)(void *preference, int attribute, const void *value, size_t bytes);
  int (*heuristic)(void *handle, void *product, void *a, void *b, void *c, void *d, void *preference, int wanted,
                   void *results, int *found);
  int (*multiply)(void *handle, void *product, const void *alpha, const void *a, void *a_layout, const void *b,
                  void *b_layout, const void *beta, const void *c, void *c_layout, void *d, void *d_layout,
                  const void *algorithm, void *workspace, size_t workspace_bytes, void *stream);
  // NCCL (libnccl.so.2)
  int (*ranks_version)(int *version);
  int (*ranks_id)(hero_nccl_id *id);
  int (*ranks_create)(void **ranks, int size, hero_nccl_id id, int rank);
  int (*ranks_abort)(void *ranks);
  int (*ranks_failure)(void *ranks, int *error);
  const char *(*ranks_error_string)(int error);
  int (*ranks_sum)(const void *from, void *to, size_t count, int type, int operation, void *ranks, void *stream);
  int (*ranks_broadcast)(const void *from, void *to, size_t count, int type, int root, void *ranks, void *stream);
  int (*ranks_group_start)(void);
  int (*ranks_group_end)(void);
} hero_cuda_functions;

/// cublasLtMatmulHeuristicResult_t.
typedef struct {
  uint64_t algorithm[8];
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
} hero_cuda_heuristic;

/// One of the four libraries.
typedef enum { HERO_CUDA_DRIVER, HERO_CUDA_COMPILER, HERO_CUDA_PRODUCTS, HERO_CUDA_RANKS } hero_cuda_library;

/// Opens a library from a file (or a name that the system's loader finds) and enters its functions.
/// - Returns: 1 if the library has all of its functions; else 0 with the reason in `problem` (of
///   `size` bytes).
int hero_cuda_open(hero_cuda_functions *functions, hero_cuda_library library, const char *file, char *problem, size_t size);

/// The kernels' sources: `kernels.cu` first, then what it includes.
typedef struct {
  const char *name;
  const char *text;
} hero_cuda_source;
const hero_cuda_source *hero_cuda_sources(int *count);

#endif
