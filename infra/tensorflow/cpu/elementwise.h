/* What is done to each number alone. */
#ifndef DISTILLERY_ELEMENTWISE_H
#define DISTILLERY_ELEMENTWISE_H

#include "lanes.h"

void add_tensors(element type, int64_t elements, const void *a, const void *b, void *sum);

void sgd_update(int64_t elements, const float *weight, const float *velocity, const float *gradient,
                float rate, float momentum, float decay, float *new_weight, float *new_velocity);

/* The end of a task that began at `at` and takes no more than `length` of all elements. */
INLINE int64_t end_of(int64_t at, int64_t length, int64_t elements) {
  return at + length < elements ? at + length : elements;
}

#endif
