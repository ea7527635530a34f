/*
 * Depthwise separable convolutions (Howard et al., MobileNets, arXiv 1704.04861, section 3.1) as one: what
 * the depthwise half gives goes, normalised, straight into the lines that the pointwise half's tiles read.
 */
#ifndef DISTILLERY_SEPARABLE_H
#define DISTILLERY_SEPARABLE_H

#include "channel-finish.h"
#include "kept-filter.h"

/* 1 if our kernel is to be taken for the shape; decided from the shape alone. */
int separable_supported(const window_shape *shape, int is_bf16);

/* [H, W, C, 1] and [1, 1, C, outputs], each with what becomes of its sums; there is no first residual. */
typedef struct {
  const float *depthwise, *pointwise;
  channel_finish between, after;
} separable_filters;

/* `shape` is the depthwise half's but for `outputs`. What is made of the pointwise filter may be kept. */
void separable_forward(const window_shape *shape, const void *x, const separable_filters *filters, void *z,
                       int is_bf16, kept_filter *kept);

#endif
