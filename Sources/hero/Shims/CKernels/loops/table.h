// One kernel set: everything above under the name SET.

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

const hero_kernels JOIN(hero_kernels_, SET) = {
    .name = SET_NAME,
#if defined(SET_BRAIN)
    .multiplies_brains = true,
#endif
    .floats = &loops_of_floats,
    .brains = &loops_of_brains,
    .add = add,
    .scale = scale,
    .sum_of_squares = sum_of_squares,
    .bias = bias,
    .bias_relu = bias_relu,
    .bias_gelu = bias_gelu,
    .widen = widen,
    .narrow = narrow,
    .add_brains = add_brains,
    .thin_product = thin_product,
    .log_sum_exp = log_sum_exp,
    .exp_shift_scale = exp_shift_scale,
    .sum = sum,
    .dot = dot,
    .axpy = axpy,
    .adamw = adamw,
    .adam = adam,
    .adamax = adamax,
    .brain_dot = brain_dot,
    .byte_dot = byte_dot,
    .sign_products = sign_products,
};
