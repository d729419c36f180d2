#include "CCUDA.h"

// The program carries the kernels' sources with it.
#pragma clang diagnostic ignored "-Wc23-extensions"

#define SOURCE(name) static const char name[] = {
#define END , 0};

SOURCE(kernels_cu)
#embed "kernels/kernels.cu"
END
SOURCE(common_cuh)
#embed "kernels/common.cuh"
END
SOURCE(elements_cuh)
#embed "kernels/elements.cuh"
END
SOURCE(rows_cuh)
#embed "kernels/rows.cuh"
END
SOURCE(losses_cuh)
#embed "kernels/losses.cuh"
END
SOURCE(sequences_cuh)
#embed "kernels/sequences.cuh"
END
SOURCE(attention_cuh)
#embed "kernels/attention.cuh"
END
SOURCE(thin_cuh)
#embed "kernels/thin.cuh"
END
SOURCE(steps_cuh)
#embed "kernels/steps.cuh"
END
SOURCE(updates_cuh)
#embed "kernels/updates.cuh"
END
SOURCE(kernel_arguments_h)
#embed "include/kernel_arguments.h"
END
SOURCE(hero_dropout_h)
#embed "../CKernels/include/hero_dropout.h"
END
SOURCE(hero_rounding_h)
#embed "../CKernels/include/hero_rounding.h"
END

const hero_cuda_source *hero_cuda_sources(int *count) {
  static const hero_cuda_source sources[] = {
      {"kernels.cu", kernels_cu},       {"common.cuh", common_cuh},
      {"elements.cuh", elements_cuh},   {"rows.cuh", rows_cuh},
      {"losses.cuh", losses_cuh},       {"sequences.cuh", sequences_cuh},
      {"attention.cuh", attention_cuh}, {"thin.cuh", thin_cuh},
      {"steps.cuh", steps_cuh},         {"updates.cuh", updates_cuh},
      {"kernel_arguments.h", kernel_arguments_h}, {"hero_dropout.h", hero_dropout_h},
      {"hero_rounding.h", hero_rounding_h},
  };
  *count = sizeof sources / sizeof *sources;
  return sources;
}
