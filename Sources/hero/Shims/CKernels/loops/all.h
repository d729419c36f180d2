// The loops, in the order in which they build on one another; included once by each instruction
// set's file.
#include "vector.h"
#include "elementwise.h"
#include "bf16.h"
#include "philox.h"
#include "moments.h"
#include "flat.h"
#if defined(SET_TILES)
#include "tiles.h"
#endif
#include "bf16_product.h"
#include "int8_product.h"
// The loops over values of either type, once for each.
#define VALUE float
#define NAME(loop) loop##_of_floats
#include "values/all.h"
#undef VALUE
#undef NAME
#define VALUE hero_bf16
#define NAME(loop) loop##_of_bf16
#include "values/all.h"
#undef VALUE
#undef NAME
#if defined(SET_WIDE)
#include "float_product.h"
#endif
#include "attention.h"
#include "bf16_attention.h"
#include "thin.h"
#include "loss.h"
#include "search.h"
#include "codes.h"
#include "table.h"
