/* Means over the pixels of feature maps [N, pixels, C]. */
#ifndef DISTILLERY_GLOBAL_MEAN_H
#define DISTILLERY_GLOBAL_MEAN_H

#include "lanes.h"

typedef struct {
  int64_t batch, pixels, channels;
  /* Of the feature maps; means and their gradients are float32. */
  element type;
} global_mean_shape;

void global_mean(const global_mean_shape *shape, const void *x, float *mean);
void global_mean_gradient(const global_mean_shape *shape, const float *dy, void *dx);

#endif
