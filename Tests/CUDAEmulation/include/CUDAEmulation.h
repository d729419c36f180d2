#ifndef HERO_CUDA_EMULATION_H
#define HERO_CUDA_EMULATION_H

#include <stdbool.h>

#include "CCUDA.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A driver, an NVRTC, a cuBLASLt and an NCCL of the tests' own: one device whose memory is the
/// host's and whose threads are fibers. NCCL's ranks are threads of this process, each with a
/// stream or two of its own.
///
/// What is queued on a stream is done when somebody waits for it and no sooner, copies from the
/// host included: whoever uses memory again too early is found out. Fresh memory is full of NaN,
/// and writing past its end ends the process. A barrier that some threads of a block do not reach
/// does so too.
const hero_cuda_functions *hero_cuda_emulation(void);

/// What this thread has asked for so far.
typedef struct {
  /// Waits for a stream or an event, and those of them after which the stream had nothing to do.
  long waits, stalls;
  /// Copies to the host, and bytes copied from it.
  long downloads, uploaded;
  /// Kernels and products, whether queued or recorded; graphs; blocks of memory.
  long launches, graphs, allocations;
  /// By each of cuBLASLt's three algorithms.
  long products[3];
} hero_cuda_emulation_counts;
hero_cuda_emulation_counts hero_cuda_emulation_count(void);

/// Milliseconds that a product takes by each of cuBLASLt's three algorithms, of those that this
/// thread asks for; 1 at first. The last fits only where the result's columns are a multiple of 8.
void hero_cuda_emulation_time_products(double first, double second, double third);

/// Whether cuBLASLt proposes its algorithms to this thread the other way round.
void hero_cuda_emulation_propose_last_first(bool yes);

/// Whether copies that this thread asks for are done at once, with what they wait for.
void hero_cuda_emulation_copy_at_once(bool yes);

#ifdef __cplusplus
}
#endif
#endif
