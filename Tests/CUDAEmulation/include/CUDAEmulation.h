#ifndef HERO_CUDA_EMULATION_H
#define HERO_CUDA_EMULATION_H

#include <stdbool.h>

#include "CCUDA.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Returns the tests' own CUDA driver, NVRTC, cuBLASLt and NCCL.
///
/// They have one device, whose memory is the host's and whose threads are fibers. NCCL's ranks are
/// threads of this process, each with one or two streams of its own.
///
/// A stream does its work, copies from the host included, only when somebody waits for it, so that
/// reusing memory too early shows. Fresh memory is full of NaN. Writing past its end ends the
/// process, and so does a barrier that some threads of a block do not reach.
const hero_cuda_functions *hero_cuda_emulation(void);

/// Counts of what this thread has asked for.
typedef struct {
  /// Waits for a stream or an event, and those of them that left the stream without work.
  long waits, stalls;
  /// Copies to the host, and bytes copied from it.
  long downloads, uploaded;
  /// Kernels and products, whether queued or recorded; graphs; blocks of memory.
  long launches, graphs, allocations;
  /// Products by each of cuBLASLt's three algorithms.
  long products[3];
} hero_cuda_emulation_counts;
hero_cuda_emulation_counts hero_cuda_emulation_count(void);

/// Sets the milliseconds that this thread's products take by each of cuBLASLt's three algorithms.
///
/// The default is 1. The third algorithm fits only results whose columns are a multiple of 8.
void hero_cuda_emulation_time_products(double first, double second, double third);

/// Sets whether cuBLASLt proposes its algorithms to this thread in reverse order.
void hero_cuda_emulation_propose_last_first(bool yes);

/// Sets whether this thread's copies take place at once, with the work they wait for.
void hero_cuda_emulation_copy_at_once(bool yes);

#ifdef __cplusplus
}
#endif
#endif
