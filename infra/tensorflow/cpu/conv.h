/* Dense convolutions [N, H, W, C]. Filters [H, W, in, out] are float32; for bf16 they are rounded inside. */
#ifndef DISTILLERY_CONV_H
#define DISTILLERY_CONV_H

#include "channel-finish.h"
#include "kept-filter.h"

/* 1 if our kernel is to be taken for the shape; decided from the shape alone. */
int conv_forward_supported(const window_shape *, int is_bf16);
int conv_input_gradient_supported(const window_shape *, int is_bf16);
int conv_filter_gradient_supported(const window_shape *, int is_bf16);

void conv_forward_f32(const window_shape *, const float *x, const float *filter, float *y);
void conv_forward_bf16(const window_shape *, const bf16 *x, const float *filter, bf16 *y);
/* Either of them; what it makes of the filter may be kept by the node, sums may be finished: else NULL. */
void conv_forward(
  const window_shape *, const void *x, const float *filter, void *y, int is_bf16, kept_filter *kept,
  const channel_finish *finish
);
void conv_input_gradient_f32(const window_shape *, const float *dy, const float *filter, float *dx);
void conv_input_gradient_bf16(const window_shape *, const bf16 *dy, const float *filter, bf16 *dx);
void conv_filter_gradient_f32(const window_shape *, const float *x, const float *dy, float *dfilter);
void conv_filter_gradient_bf16(const window_shape *, const bf16 *x, const bf16 *dy, float *dfilter);

#endif
