// A stand-in for NCCL between threads of this process; see `hero_cuda_functions` for what is what.
#pragma once

#include "CCUDA.h"

int ranks_version(int *version);
int ranks_id(hero_nccl_id *id);
int ranks_create(void **ranks, int size, hero_nccl_id id, int rank);
int ranks_abort(void *ranks);
int ranks_failure(void *ranks, int *error);
const char *ranks_error_string(int error);
int ranks_sum(const void *from, void *to, size_t count, int type, int operation, void *ranks, void *stream);
int ranks_broadcast(const void *from, void *to, size_t count, int type, int root, void *ranks, void *stream);
int ranks_group_start();
int ranks_group_end();
