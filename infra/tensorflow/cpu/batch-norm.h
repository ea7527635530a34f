/* Batch normalisation of [rows, C], rows = N * H * W, with what follows it in one go. */
#ifndef DISTILLERY_BATCH_NORM_H
#define DISTILLERY_BATCH_NORM_H

#include "periodic.h"

typedef enum { ACTIVATION_NONE = 0, ACTIVATION_RELU = 1, ACTIVATION_RELU6 = 2 } activation;

typedef struct {
  int64_t rows, channels;
  /* Of x, residual, z and their gradients; all else is float32. */
  element type;
  activation after;
  float epsilon;
} batch_norm_shape;

void batch_norm_training(const batch_norm_shape *shape, const void *x, const float *gamma, const float *beta,
                         const void *residual, void *z, float *mean, float *variance,
                         float *inverse_deviation);

void batch_norm_inference(const batch_norm_shape *shape, const void *x, const float *gamma, const float *beta,
                          const float *mean, const float *variance, const void *residual, void *z);

void batch_norm_gradient(const batch_norm_shape *shape, const void *dz, const void *x, const void *z,
                         const float *gamma, const float *beta, const float *mean,
                         const float *inverse_deviation, void *dx, float *dgamma, float *dbeta,
                         void *dresidual);

void batch_norm_inference_gradient(const batch_norm_shape *shape, const void *dz, const void *x,
                                   const void *z, const float *gamma, const float *beta, const float *mean,
                                   const float *variance, void *dx, float *dgamma, float *dbeta,
                                   void *dresidual);

/* The same as scale and shift, [C] each, for whatever computes x. */
void batch_norm_scales(int64_t channels, float epsilon, const float *gamma, const float *beta,
                       const float *mean, const float *variance, float *scale, float *shift);

/* y = scale * x + shift is what normalising by known statistics comes to. */
INLINE void scale_and_shift(float gamma, float beta, float mean, float inverse_deviation, float *scale,
                            float *shift) {
  *scale = gamma * inverse_deviation;
  *shift = beta - mean * *scale;
}

/* Activations cut off below `low` and above `high`. */
INLINE float low_of(activation after) { return after == ACTIVATION_NONE ? -__builtin_inff() : 0; }
INLINE float high_of(activation after) { return after == ACTIVATION_RELU6 ? 6 : __builtin_inff(); }

/* Runs a task that is inlined for each type of elements, with a residual and without. */
#define SPECIALISED(task, work, has_residual, ...) \
  do { \
    if ((work)->type == FLOAT32 && !(has_residual)) task(work, FLOAT32, 0, __VA_ARGS__); \
    else if ((work)->type == FLOAT32) task(work, FLOAT32, 1, __VA_ARGS__); \
    else if (!(has_residual)) task(work, BFLOAT16, 0, __VA_ARGS__); \
    else task(work, BFLOAT16, 1, __VA_ARGS__); \
  } while (0)

/* Slots of `shared_scratch` that the passes of one operation keep their numbers in. */
enum { SLOT_PARAMETERS = 0, SLOT_SUMS = 1, SLOT_TOTALS = 2, SLOT_DEVIATIONS = 3 };

#endif
