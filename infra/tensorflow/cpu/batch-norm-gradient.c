/*
 * The gradient of batch-norm.c. With y what was rectified, dy = dz where y was let through and 0 elsewhere:
 *
 *   dbeta = sum(dy), dgamma = sum(dy * (x - mean)) / deviation, dresidual = dy,
 *   dx = gamma / deviation * (dy - dbeta / rows - (x - mean) / deviation * dgamma / rows)
 *
 * (section 3 of the paper, gathered by terms); with given statistics the two subtractions are left out.
 *
 * Without a residual y is computed from x again, so z is not read. With one it cannot be, and the first pass
 * writes dy, which is wanted anyway, for the second to read.
 */
#include "batch-norm.h"
#include <math.h>

typedef struct {
  periodic view;
  element type;
  /* Whether what is computed goes past the caches. */
  int streams;
  const void *dz, *x, *z;
  void *dx, *dresidual;
  /* [period] each: y = scale * x + shift; dx = scale * dy + slope * x + offset. */
  float *scale, *shift, *mean, *slope, *offset;
  float low, high;
  /* [tasks, 2, C]: sums of dy, and of dy * (x - mean). */
  float *sums;
} gradient_work;

/* dz where the activation let y through; y itself, or with a residual z, tells. */
INLINE lanes passed(const gradient_work *work, lanes dz, lanes y) {
  return lanes_keep(lanes_between(y, lanes_of(work->low), lanes_of(work->high)), dz);
}

INLINE float passed_one(const gradient_work *work, float dz, float y) {
  return y > work->low && y < work->high ? dz : 0;
}

INLINE void sum_block(const gradient_work *work, element type, int residual, int64_t row, int64_t end,
                      int64_t lane, float *sum, float *products) {
  lanes scale[BLOCK], shift[BLOCK], mean[BLOCK], s[BLOCK], p[BLOCK];
  for (int k = 0; k < BLOCK; k++) {
    int64_t own = lane + k * LANES;
    scale[k] = lanes_load(work->scale, own, FLOAT32);
    shift[k] = lanes_load(work->shift, own, FLOAT32);
    mean[k] = lanes_load(work->mean, own, FLOAT32);
    s[k] = lanes_load(sum, own, FLOAT32);
    p[k] = lanes_load(products, own, FLOAT32);
  }
  for (; row < end; row++) {
    int64_t block = row * work->view.period + lane;
    prefetch_block(work->x, block, type);
    prefetch_block(work->dz, block, type);
    if (residual) prefetch_block(work->z, block, type);
    for (int k = 0; k < BLOCK; k++) {
      int64_t at = row * work->view.period + lane + k * LANES;
      lanes x = lanes_load(work->x, at, type);
      lanes y = residual ? lanes_load(work->z, at, type) : lanes_fma(x, scale[k], shift[k]);
      lanes dy = passed(work, lanes_load(work->dz, at, type), y);
      if (residual) lanes_store(work->dresidual, at, dy, type);
      s[k] = lanes_add(s[k], dy);
      p[k] = lanes_fma(dy, lanes_sub(x, mean[k]), p[k]);
    }
  }
  for (int k = 0; k < BLOCK; k++) {
    lanes_store(sum, lane + k * LANES, s[k], FLOAT32);
    lanes_store(products, lane + k * LANES, p[k], FLOAT32);
  }
}

INLINE void sum_task(const gradient_work *work, element type, int residual, int64_t index, int thread) {
  const periodic *view = &work->view;
  int64_t period = view->period;
  float *sum = thread_scratch(thread, (size_t)(2 * period) * sizeof(float));
  float *products = sum + period;
  memset(sum, 0, (size_t)(2 * period) * sizeof(float));
  task_rows own = rows_of_task(view, index);
  for (int64_t row = own.first; row < own.end; row += own.group)
    for (int64_t lane = 0; lane < view->period; lane += BLOCK_LANES)
      sum_block(work, type, residual, row, group_end(&own, row), lane, sum, products);
  for (int64_t i = own.rest; i < own.rest_end; i++) {
    int64_t lane = i - own.rest;
    float x = load_one(work->x, i, type);
    float y = residual ? load_one(work->z, i, type) : x * work->scale[lane] + work->shift[lane];
    float dy = passed_one(work, load_one(work->dz, i, type), y);
    if (residual) store_one(work->dresidual, i, dy, type);
    sum[lane] += dy;
    products[lane] += dy * (x - work->mean[lane]);
  }
  float *partial = work->sums + index * 2 * view->channels;
  sum_channels(view, sum, partial);
  sum_channels(view, products, partial + view->channels);
}

static void run_sum(void *context, int64_t index, int thread) {
  const gradient_work *work = context;
  SPECIALISED(sum_task, work, work->dresidual != NULL, index, thread);
}

INLINE void apply_block(const gradient_work *work, element type, int residual, int64_t row, int64_t end,
                        int64_t lane) {
  lanes scale[BLOCK], shift[BLOCK], slope[BLOCK], offset[BLOCK];
  for (int k = 0; k < BLOCK; k++) {
    int64_t own = lane + k * LANES;
    scale[k] = lanes_load(work->scale, own, FLOAT32);
    shift[k] = lanes_load(work->shift, own, FLOAT32);
    slope[k] = lanes_load(work->slope, own, FLOAT32);
    offset[k] = lanes_load(work->offset, own, FLOAT32);
  }
  for (; row < end; row++) {
    int64_t block = row * work->view.period + lane;
    prefetch_block(work->x, block, type);
    prefetch_block(residual ? work->dresidual : work->dz, block, type);
    for (int k = 0; k < BLOCK; k++) {
      int64_t at = row * work->view.period + lane + k * LANES;
      lanes x = lanes_load(work->x, at, type);
      lanes dy = lanes_load(residual ? work->dresidual : work->dz, at, type);
      if (!residual) dy = passed(work, dy, lanes_fma(x, scale[k], shift[k]));
      lanes dx = lanes_fma(dy, scale[k], lanes_fma(x, slope[k], offset[k]));
      if (work->streams) lanes_stream(work->dx, at, dx, type);
      else lanes_store(work->dx, at, dx, type);
    }
  }
}

INLINE void apply_task(const gradient_work *work, element type, int residual, int64_t index) {
  const periodic *view = &work->view;
  task_rows own = rows_of_task(view, index);
  for (int64_t row = own.first; row < own.end; row += own.group)
    for (int64_t lane = 0; lane < view->period; lane += BLOCK_LANES)
      apply_block(work, type, residual, row, group_end(&own, row), lane);
  for (int64_t i = own.rest; i < own.rest_end; i++) {
    int64_t lane = i - own.rest;
    float x = load_one(work->x, i, type), dy = load_one(residual ? work->dresidual : work->dz, i, type);
    if (!residual) dy = passed_one(work, dy, x * work->scale[lane] + work->shift[lane]);
    store_one(work->dx, i, dy * work->scale[lane] + (x * work->slope[lane] + work->offset[lane]), type);
  }
  if (work->streams) streamed();
}

static void run_apply(void *context, int64_t index, int thread) {
  const gradient_work *work = context;
  (void)thread;
  SPECIALISED(apply_task, work, work->dresidual != NULL, index);
}

/* Both passes. `given`: the statistics do not depend on x. */
static void differentiate(const batch_norm_shape *shape, gradient_work *work, const float *gamma,
                          const float *beta, const float *mean, const float *inverse_deviation, int given,
                          float *dgamma, float *dbeta) {
  periodic *view = &work->view;
  int64_t channels = shape->channels, tasks = view->tasks;
  const size_t numbers = (size_t)(5 * view->period + 4 * channels);
  float *parameters = shared_scratch(SLOT_PARAMETERS, numbers * sizeof(float));
  float **repeated[5] = {&work->scale, &work->shift, &work->mean, &work->slope, &work->offset};
  for (int i = 0; i < 5; i++) *repeated[i] = parameters + i * view->period;
  float *scale = parameters + 5 * view->period, *shift = scale + channels;
  float *slope = shift + channels, *offset = slope + channels;
  for (int64_t c = 0; c < channels; c++)
    scale_and_shift(gamma[c], beta[c], mean[c], inverse_deviation[c], &scale[c], &shift[c]);
  repeat_channels(view, scale, work->scale);
  repeat_channels(view, shift, work->shift);
  repeat_channels(view, mean, work->mean);
  work->sums = shared_scratch(SLOT_SUMS, (size_t)(tasks * 2 * channels) * sizeof(float));
  parallel_run(tasks, run_sum, work);
  double *totals = shared_scratch(SLOT_TOTALS, (size_t)(2 * channels) * sizeof(double));
  sum_tasks(work->sums, tasks, 2 * channels, totals);
  for (int64_t c = 0; c < channels; c++) {
    dbeta[c] = (float)totals[c];
    dgamma[c] = (float)totals[channels + c] * inverse_deviation[c];
    float share = given ? 0 : scale[c] / (float)shape->rows;
    slope[c] = -share * dgamma[c] * inverse_deviation[c];
    offset[c] = -share * dbeta[c] - slope[c] * mean[c];
  }
  repeat_channels(view, slope, work->slope);
  repeat_channels(view, offset, work->offset);
  parallel_run(tasks, run_apply, work);
}

static gradient_work work_of(const batch_norm_shape *shape, const void *dz, const void *x, const void *z,
                             void *dx, void *dresidual) {
  gradient_work work = {.type = shape->type, .dz = dz, .x = x, .z = z, .dx = dx, .dresidual = dresidual};
  work.view = periodic_of(shape->rows * shape->channels, shape->channels);
  work.streams = worth_streaming(&work.view, shape->type, dx);
  work.low = low_of(shape->after);
  work.high = high_of(shape->after);
  return work;
}

/*
 * dz, x, z, dx, dresidual: [rows, C]; the others [C], `mean` and `inverse_deviation` as batch_norm_training
 * gave them. z and dresidual are NULL where nothing was added; dresidual may be dz's own memory.
 */
void batch_norm_gradient(const batch_norm_shape *shape, const void *dz, const void *x, const void *z,
                         const float *gamma, const float *beta, const float *mean,
                         const float *inverse_deviation, void *dx, float *dgamma, float *dbeta,
                         void *dresidual) {
  gradient_work work = work_of(shape, dz, x, z, dx, dresidual);
  differentiate(shape, &work, gamma, beta, mean, inverse_deviation, 0, dgamma, dbeta);
}

/* The same for batch_norm_inference, whose statistics `mean` and `variance` were given. */
void batch_norm_inference_gradient(const batch_norm_shape *shape, const void *dz, const void *x,
                                   const void *z, const float *gamma, const float *beta, const float *mean,
                                   const float *variance, void *dx, float *dgamma, float *dbeta,
                                   void *dresidual) {
  gradient_work work = work_of(shape, dz, x, z, dx, dresidual);
  float *inverse_deviation = shared_scratch(SLOT_DEVIATIONS, (size_t)shape->channels * sizeof(float));
  for (int64_t c = 0; c < shape->channels; c++) {
    inverse_deviation[c] = 1 / sqrtf(variance[c] + shape->epsilon);
  }
  differentiate(shape, &work, gamma, beta, mean, inverse_deviation, 1, dgamma, dbeta);
}
