// The loops, in the order in which they build on one another; included once by each instruction set's file.
#include "vector.h"
#include "philox.h"
#include "elementwise.h"
#include "norm.h"
#include "attention.h"
#include "loss.h"
#include "optimizer.h"
#include "table.h"
