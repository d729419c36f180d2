// The kernels' sources, compiled for the emulation.

#include "kernel_arguments.h"

#include "emulation.h"
#include "kernels.h"

#define HERO_EMULATION
namespace {
#include "../../Sources/hero/Shims/CCUDA/kernels/kernels.cu"

template <class Arguments> Kernel kernel(const char *name, void (*body)(Arguments), void (*run)(void *)) {
  return {name, run, sizeof(Arguments)};
}

template <class Arguments> Arguments argument(void (*)(Arguments), void *at) { return *static_cast<Arguments *>(at); }
}  // namespace

#define ENTRY(name) kernel(#name, name, [](void *at) { name(argument(name, at)); })
#define ATTENTION_ENTRIES(type, D) \
  ENTRY(attention_short_##type##_##D), ENTRY(attention_short_backward_##type##_##D), \
  ENTRY(attention_forward_##type##_##D), ENTRY(attention_queries_##type##_##D), ENTRY(attention_keys_##type##_##D)

const Kernel *find_kernel(const char *name) {
  static const Kernel kernels[] = {
      ENTRY(fill), ENTRY(copy), ENTRY(halves), ENTRY(bias), ENTRY(slope), ENTRY(slope_sums), ENTRY(column_sums), ENTRY(add_parts),
      ENTRY(sum_elements), ENTRY(add_total), ENTRY(gather_sum), ENTRY(scatter_count), ENTRY(scatter_parts), ENTRY(scatter_add), ENTRY(transpose),
      ENTRY(layer_norm), ENTRY(layer_norm_wide), ENTRY(layer_norm_backward), ENTRY(layer_norm_backward_wide), ENTRY(normalize_rows),
      ENTRY(normalize_rows_backward), ENTRY(top), ENTRY(cross_entropy), ENTRY(segment_cross_entropy),
      ENTRY(binary_cross_entropy), ENTRY(row_distances), ENTRY(ranking_ranks), ENTRY(ranking_losses),
      ENTRY(ranking_gradient), ENTRY(softmax_pool), ENTRY(softmax_pool_backward), ENTRY(segment_max),
      ENTRY(segment_max_backward), ENTRY(pair_dot), ENTRY(pair_dot_queries), ENTRY(pair_dot_rows), ENTRY(convolve),
      ENTRY(convolve_rows), ENTRY(convolve_kernel), ENTRY(segment_softmax), ENTRY(update), ENTRY(thin_product),
      ENTRY(step_attention), ENTRY(append_numbers),
      ATTENTION_ENTRIES(fp32, 64), ATTENTION_ENTRIES(fp32, 128), ATTENTION_ENTRIES(bf16, 64),
      ATTENTION_ENTRIES(bf16, 128)};
  for (const Kernel &kernel : kernels)
    if (__builtin_strcmp(kernel.name, name) == 0) return &kernel;
  return nullptr;
}
