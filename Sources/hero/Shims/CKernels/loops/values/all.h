#include "slopes.h"
#include "norm.h"
#include "brain_product.h"
