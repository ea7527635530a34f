/*
 * Pooling [N, H, W, C] -> [N, H', W', C] and its gradients. Padding takes no part: it never wins, never
 * counts.
 */
#ifndef DISTILLERY_POOL_H
#define DISTILLERY_POOL_H

#include "kernels.h"

/* 1 if our kernels are to be taken for the shape; decided from the shape alone. */
int pool_supported(const window_shape *shape, int is_bf16);

void max_pool_forward_f32(const window_shape *shape, const float *x, float *y);
void max_pool_forward_bf16(const window_shape *shape, const bf16 *x, bf16 *y);

/* dx: the greatest cell of each window, the first of equal ones, takes all of its dy, as in TensorFlow. */
void max_pool_gradient_f32(const window_shape *shape, const float *x, const float *dy, float *dx);
void max_pool_gradient_bf16(const window_shape *shape, const bf16 *x, const bf16 *dy, bf16 *dx);

/* y: the mean of the window's cells that exist. */
void average_pool_forward_f32(const window_shape *shape, const float *x, float *y);
void average_pool_forward_bf16(const window_shape *shape, const bf16 *x, bf16 *y);

/* dx: those cells take equal shares of dy. */
void average_pool_gradient_f32(const window_shape *shape, const float *dy, float *dx);
void average_pool_gradient_bf16(const window_shape *shape, const bf16 *dy, bf16 *dx);

#endif
