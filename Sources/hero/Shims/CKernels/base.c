#include "CKernels.h"
#include <math.h>
#include <string.h>

#define SET base
#define SET_NAME "base"
#include "loops/all.h"
