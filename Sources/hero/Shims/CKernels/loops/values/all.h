#include "slopes.h"
#include "norm.h"
#include "bf16_product.h"
#include "int8_product.h"
