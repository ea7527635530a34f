/* Depthwise convolutions [N, H, W, C] with one filter a channel, [H, W, C, 1] in float32. */
#ifndef DISTILLERY_DEPTHWISE_H
#define DISTILLERY_DEPTHWISE_H

#include "channel-finish.h"
#include "kernels.h"

/* 1 if our kernels are to be taken for the shape; decided from the shape alone. */
int depthwise_supported(const window_shape *shape, int is_bf16);

/* y[n, o, p, c] = sum over k, l of x[n, o * stride + k * dilation - pad, ..., c] * filter[k, l, c] */
void depthwise_forward_f32(const window_shape *shape, const float *x, const float *filter, float *y);
void depthwise_forward_bf16(const window_shape *shape, const bf16 *x, const float *filter, bf16 *y);
/* Either of them, with the sums finished; there is no residual. */
void depthwise_forward_finished(const window_shape *shape, const void *x, const float *filter, void *z,
                                int is_bf16, const channel_finish *finish);

/* dx: each cell's part in what `dy` asks of the results that read it. */
void depthwise_input_gradient_f32(const window_shape *shape, const float *dy, const float *filter, float *dx);
void depthwise_input_gradient_bf16(const window_shape *shape, const bf16 *dy, const float *filter, bf16 *dx);

/* dfilter[k, l, c] = sum over n, o, p of x[as above] * dy[n, o, p, c] */
void depthwise_filter_gradient_f32(const window_shape *shape, const float *x, const float *dy,
                                   float *dfilter);
void depthwise_filter_gradient_bf16(const window_shape *shape, const bf16 *x, const bf16 *dy, float *dfilter);

#endif
