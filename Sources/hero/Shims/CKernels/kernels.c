const int hero_kernels_placeholder = 0;
