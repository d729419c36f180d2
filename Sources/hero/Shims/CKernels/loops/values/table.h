// The loops over values of one type.

static const hero_value_loops NAME(loops) = {
    .relu_backward = NAME(relu_backward),
    .gelu_backward = NAME(gelu_backward),
    .gelu_again = NAME(gelu_again),
    .column_sums = NAME(column_sums),
    .dropout = NAME(dropout),
    .norm = NAME(norm),
    .norm_backward = NAME(norm_backward),
    .attention = NAME(attention),
    .attention_backward = NAME(attention_backward),
    .pack_along = NAME(pack_along),
    .pack_across = NAME(pack_across),
    .brain_product = NAME(brain_product),
};
