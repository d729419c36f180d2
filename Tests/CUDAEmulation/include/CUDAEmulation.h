#ifndef HERO_CUDA_EMULATION_H
#define HERO_CUDA_EMULATION_H

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

/// Waits for streams, copies to the host, launches and allocations of this thread so far.
typedef struct { long waits, downloads, launches, allocations; } hero_cuda_emulation_counts;
hero_cuda_emulation_counts hero_cuda_emulation_count(void);

#ifdef __cplusplus
}
#endif
#endif
