const int hero_openblas_placeholder = 0;
