#include "CCUDA.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  hero_cuda_library library;
  const char *name;
  size_t offset;
} entry;

#define ENTRY(library, field, name) {library, name, offsetof(hero_cuda_functions, field)}
#define DRIVER(field, name) ENTRY(HERO_CUDA_DRIVER, field, name)
#define COMPILER(field, name) ENTRY(HERO_CUDA_COMPILER, field, name)
#define PRODUCTS(field, name) ENTRY(HERO_CUDA_PRODUCTS, field, name)
#define RANKS(field, name) ENTRY(HERO_CUDA_RANKS, field, name)

static const entry entries[] = {
    DRIVER(error_string, "cuGetErrorString"),
    DRIVER(start, "cuInit"),
    DRIVER(driver_version, "cuDriverGetVersion"),
    DRIVER(device_count, "cuDeviceGetCount"),
    DRIVER(device_get, "cuDeviceGet"),
    DRIVER(device_name, "cuDeviceGetName"),
    DRIVER(device_attribute, "cuDeviceGetAttribute"),
    DRIVER(device_memory, "cuDeviceTotalMem_v2"),
    DRIVER(device_uuid, "cuDeviceGetUuid_v2"),
    DRIVER(retain_context, "cuDevicePrimaryCtxRetain"),
    DRIVER(release_context, "cuDevicePrimaryCtxRelease_v2"),
    DRIVER(set_context, "cuCtxSetCurrent"),
    DRIVER(stream_create, "cuStreamCreate"),
    DRIVER(stream_destroy, "cuStreamDestroy_v2"),
    DRIVER(stream_synchronize, "cuStreamSynchronize"),
    DRIVER(stream_wait, "cuStreamWaitEvent"),
    DRIVER(event_create, "cuEventCreate"),
    DRIVER(event_destroy, "cuEventDestroy_v2"),
    DRIVER(event_record, "cuEventRecord"),
    DRIVER(event_query, "cuEventQuery"),
    DRIVER(event_synchronize, "cuEventSynchronize"),
    DRIVER(default_pool, "cuDeviceGetDefaultMemPool"),
    DRIVER(set_pool_attribute, "cuMemPoolSetAttribute"),
    DRIVER(allocate, "cuMemAllocAsync"),
    DRIVER(release, "cuMemFreeAsync"),
    DRIVER(allocate_host, "cuMemHostAlloc"),
    DRIVER(release_host, "cuMemFreeHost"),
    DRIVER(upload, "cuMemcpyHtoDAsync_v2"),
    DRIVER(download, "cuMemcpyDtoHAsync_v2"),
    DRIVER(load_module, "cuModuleLoadData"),
    DRIVER(unload_module, "cuModuleUnload"),
    DRIVER(get_function, "cuModuleGetFunction"),
    DRIVER(set_function_attribute, "cuFuncSetAttribute"),
    DRIVER(launch, "cuLaunchKernel"),
    COMPILER(compiler_version, "nvrtcVersion"),
    COMPILER(program_create, "nvrtcCreateProgram"),
    COMPILER(program_compile, "nvrtcCompileProgram"),
    COMPILER(program_log_size, "nvrtcGetProgramLogSize"),
    COMPILER(program_log, "nvrtcGetProgramLog"),
    COMPILER(program_binary_size, "nvrtcGetCUBINSize"),
    COMPILER(program_binary, "nvrtcGetCUBIN"),
    COMPILER(program_destroy, "nvrtcDestroyProgram"),
    PRODUCTS(products_version, "cublasLtGetVersion"),
    PRODUCTS(products_create, "cublasLtCreate"),
    PRODUCTS(products_destroy, "cublasLtDestroy"),
    PRODUCTS(product_create, "cublasLtMatmulDescCreate"),
    PRODUCTS(product_destroy, "cublasLtMatmulDescDestroy"),
    PRODUCTS(product_set, "cublasLtMatmulDescSetAttribute"),
    PRODUCTS(layout_create, "cublasLtMatrixLayoutCreate"),
    PRODUCTS(layout_destroy, "cublasLtMatrixLayoutDestroy"),
    PRODUCTS(preference_create, "cublasLtMatmulPreferenceCreate"),
    PRODUCTS(preference_destroy, "cublasLtMatmulPreferenceDestroy"),
    PRODUCTS(preference_set, "cublasLtMatmulPreferenceSetAttribute"),
    PRODUCTS(heuristic, "cublasLtMatmulAlgoGetHeuristic"),
    PRODUCTS(multiply, "cublasLtMatmul"),
    RANKS(ranks_version, "ncclGetVersion"),
    RANKS(ranks_id, "ncclGetUniqueId"),
    RANKS(ranks_create, "ncclCommInitRank"),
    RANKS(ranks_abort, "ncclCommAbort"),
    RANKS(ranks_failure, "ncclCommGetAsyncError"),
    RANKS(ranks_error_string, "ncclGetErrorString"),
    RANKS(ranks_sum, "ncclAllReduce"),
    RANKS(ranks_broadcast, "ncclBroadcast"),
    RANKS(ranks_group_start, "ncclGroupStart"),
    RANKS(ranks_group_end, "ncclGroupEnd"),
};

int hero_cuda_open(hero_cuda_functions *functions, hero_cuda_library library, const char *file, char *problem, size_t size) {
  // Never closed: the driver does not survive it.
  void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    snprintf(problem, size, "%s", reason ? reason : "no reason given");
    return 0;
  }
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    if (entries[i].library != library) continue;
    void *function = dlsym(handle, entries[i].name);
    if (!function) {
      snprintf(problem, size, "it has no %s: too old", entries[i].name);
      return 0;
    }
    memcpy((char *)functions + entries[i].offset, &function, sizeof function);
  }
  return 1;
}
