// The loops over values of both types, and all loops of the kernel set, under the name SET.

#define LOOPS_OF(values)                                  \
  {                                                       \
    .relu_backward = relu_backward_of_##values,           \
    .gelu_backward = gelu_backward_of_##values,           \
    .gelu_again = gelu_again_of_##values,                 \
    .column_sums = column_sums_of_##values,               \
    .norm = norm_of_##values,                             \
    .norm_backward = norm_backward_of_##values,           \
    .attention = attention_of_##values,                   \
    .attention_backward = attention_backward_of_##values, \
    .pack_along = pack_along_of_##values,                 \
    .pack_across = pack_across_of_##values,               \
    .pack_int8 = pack_int8_of_##values,                   \
    .bf16_product = bf16_product_of_##values,             \
    .int8_product = int8_product_of_##values,             \
    .adamw = adamw_of_##values,                           \
    .adam = adam_of_##values,                             \
    .adamax = adamax_of_##values,                         \
  }
static const hero_value_loops loops_of_floats = LOOPS_OF(floats), loops_of_bf16 = LOOPS_OF(bf16);
#undef LOOPS_OF

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

const hero_kernels JOIN(hero_kernels_, SET) = {
    .name = SET_NAME,
#if defined(SET_BF16) || defined(SET_TILES)
    .multiplies_bf16 = true,
    .multiplies_int8 = true,
#endif
    .floats = &loops_of_floats,
    .bf16 = &loops_of_bf16,
    .add = add,
    .scale = scale,
    .sum_of_squares = sum_of_squares,
    .bias = bias,
    .bias_relu = bias_relu,
    .bias_gelu = bias_gelu,
    .bias_quick_gelu = bias_quick_gelu,
    .widen = widen,
    .narrow = narrow,
    .halve = halve,
    .add_bf16 = add_bf16,
    .thin_product = thin_product,
#if defined(SET_WIDE)
    .pack_floats = pack_floats,
    .float_product = float_product,
#endif
    .log_sum_exp = log_sum_exp,
    .exp_shift_scale = exp_shift_scale,
    .sum = sum,
    .dot = dot,
    .axpy = axpy,
    .bf16_dot = bf16_dot,
    .byte_dot = byte_dot,
    .sign_products = sign_products,
    .plane_estimates = plane_estimates,
    .reaching = reaching,
    .code_estimates = code_estimates,
};
