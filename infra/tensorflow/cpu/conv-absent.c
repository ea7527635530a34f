/* Stands in for kernels where they are not built: nothing is supported. */
#include "conv.h"

#define ABSENT __attribute__((weak))

ABSENT int conv_forward_supported(const window_shape *s, int b) { return (void)s, (void)b, 0; }
ABSENT int conv_input_gradient_supported(const window_shape *s, int b) { return (void)s, (void)b, 0; }
ABSENT int conv_filter_gradient_supported(const window_shape *s, int b) { return (void)s, (void)b, 0; }
#define BODY(name, A, B, C) \
  ABSENT void name(const window_shape *s, const A *a, const B *b, C *c) { (void)s, (void)a, (void)b, (void)c; }
BODY(conv_forward_f32, float, float, float)
BODY(conv_forward_bf16, bf16, float, bf16)
BODY(conv_input_gradient_f32, float, float, float)
BODY(conv_input_gradient_bf16, bf16, float, bf16)
BODY(conv_filter_gradient_f32, float, float, float)
BODY(conv_filter_gradient_bf16, bf16, bf16, float)
