// One kernel set: everything above under the name SET.

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

const hero_kernels JOIN(hero_kernels_, SET) = {
    .name = SET_NAME,
    .add = add,
    .scale = scale,
    .sum_of_squares = sum_of_squares,
    .bias = bias,
    .bias_relu = bias_relu,
    .bias_gelu = bias_gelu,
    .relu_backward = relu_backward,
    .gelu_backward = gelu_backward,
    .gelu_again = gelu_again,
    .column_sums = column_sums,
    .dropout = dropout,
    .norm = norm,
    .norm_backward = norm_backward,
    .attention = attention,
    .attention_backward = attention_backward,
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
