/*
 * Batch normalisation forward (Ioffe & Szegedy, arXiv 1502.03167, algorithm 1), with the addition of a
 * residual and the activation that follow it:
 *
 *   z = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta [+ residual])
 *
 * Memory decides the time, so x is read twice and no more: once for the statistics, once to normalise.
 */
#include "batch-norm.h"
#include <math.h>

/* Rows whose mean stands in for the channels' while deviations are summed. */
#define SAMPLES 32

typedef struct {
  periodic view;
  element type;
  /* Whether what is computed goes past the caches. */
  int streams;
  const void *x, *residual;
  void *z;
  /* [period] each. */
  float *shift, *scale;
  float low, high;
  /* [tasks, 2, C]: sums of deviations from `shift`, and of their squares. */
  float *sums;
} norm_work;

/*
 * Deviations are taken from a sample's mean, which is never further from the true one than 1/32nd of the rows
 * can pull it: squares of what is left of the mean are too small to cancel out what is summed.
 */
static void sample_means(const norm_work *work, int64_t rows, float *means) {
  int64_t channels = work->view.channels;
  for (int64_t c = 0; c < channels; c++) means[c] = 0;
  for (int64_t sample = 0; sample < SAMPLES; sample++) {
    int64_t start = rows * sample / SAMPLES * channels;
    for (int64_t c = 0; c < channels; c++) means[c] += load_one(work->x, start + c, work->type);
  }
  for (int64_t c = 0; c < channels; c++) means[c] /= SAMPLES;
}

INLINE void sum_block(const norm_work *work, element type, int64_t row, int64_t end, int64_t lane, float *sum,
                      float *squares) {
  lanes shift[BLOCK], s[BLOCK], q[BLOCK];
  for (int k = 0; k < BLOCK; k++) {
    shift[k] = lanes_load(work->shift, lane + k * LANES, FLOAT32);
    s[k] = lanes_load(sum, lane + k * LANES, FLOAT32);
    q[k] = lanes_load(squares, lane + k * LANES, FLOAT32);
  }
  for (; row < end; row++) {
    prefetch_block(work->x, row * work->view.period + lane, type);
    for (int k = 0; k < BLOCK; k++) {
      lanes x = lanes_load(work->x, row * work->view.period + lane + k * LANES, type);
      lanes deviation = lanes_sub(x, shift[k]);
      s[k] = lanes_add(s[k], deviation);
      q[k] = lanes_fma(deviation, deviation, q[k]);
    }
  }
  for (int k = 0; k < BLOCK; k++) {
    lanes_store(sum, lane + k * LANES, s[k], FLOAT32);
    lanes_store(squares, lane + k * LANES, q[k], FLOAT32);
  }
}

INLINE void sum_task(const norm_work *work, element type, int64_t index, int thread) {
  const periodic *view = &work->view;
  int64_t period = view->period;
  float *sum = thread_scratch(thread, (size_t)(2 * period) * sizeof(float));
  float *squares = sum + period;
  memset(sum, 0, (size_t)(2 * period) * sizeof(float));
  task_rows own = rows_of_task(view, index);
  for (int64_t row = own.first; row < own.end; row += own.group)
    for (int64_t lane = 0; lane < view->period; lane += BLOCK_LANES)
      sum_block(work, type, row, group_end(&own, row), lane, sum, squares);
  for (int64_t i = own.rest; i < own.rest_end; i++) {
    float deviation = load_one(work->x, i, type) - work->shift[i - own.rest];
    sum[i - own.rest] += deviation;
    squares[i - own.rest] += deviation * deviation;
  }
  float *partial = work->sums + index * 2 * view->channels;
  sum_channels(view, sum, partial);
  sum_channels(view, squares, partial + view->channels);
}

static void run_sum(void *context, int64_t index, int thread) {
  const norm_work *work = context;
  if (work->type == FLOAT32) sum_task(work, FLOAT32, index, thread);
  else sum_task(work, BFLOAT16, index, thread);
}

INLINE void apply_block(const norm_work *work, element type, int residual, int64_t row, int64_t end,
                        int64_t lane) {
  lanes low = lanes_of(work->low), high = lanes_of(work->high);
  lanes scale[BLOCK], shift[BLOCK];
  for (int k = 0; k < BLOCK; k++) {
    scale[k] = lanes_load(work->scale, lane + k * LANES, FLOAT32);
    shift[k] = lanes_load(work->shift, lane + k * LANES, FLOAT32);
  }
  for (; row < end; row++) {
    prefetch_block(work->x, row * work->view.period + lane, type);
    if (residual) prefetch_block(work->residual, row * work->view.period + lane, type);
    for (int k = 0; k < BLOCK; k++) {
      int64_t at = row * work->view.period + lane + k * LANES;
      lanes y = lanes_fma(lanes_load(work->x, at, type), scale[k], shift[k]);
      if (residual) y = lanes_add(y, lanes_load(work->residual, at, type));
      if (work->streams) lanes_stream(work->z, at, lanes_clamp(y, low, high), type);
      else lanes_store(work->z, at, lanes_clamp(y, low, high), type);
    }
  }
}

INLINE void apply_task(const norm_work *work, element type, int residual, int64_t index) {
  const periodic *view = &work->view;
  task_rows own = rows_of_task(view, index);
  for (int64_t row = own.first; row < own.end; row += own.group)
    for (int64_t lane = 0; lane < view->period; lane += BLOCK_LANES)
      apply_block(work, type, residual, row, group_end(&own, row), lane);
  for (int64_t i = own.rest; i < own.rest_end; i++) {
    float y = load_one(work->x, i, type) * work->scale[i - own.rest] + work->shift[i - own.rest];
    if (residual) y += load_one(work->residual, i, type);
    store_one(work->z, i, y < work->low ? work->low : y > work->high ? work->high : y, type);
  }
  if (work->streams) streamed();
}

static void run_apply(void *context, int64_t index, int thread) {
  const norm_work *work = context;
  (void)thread;
  SPECIALISED(apply_task, work, work->residual != NULL, index);
}

static norm_work work_of(const batch_norm_shape *shape, const void *x, const void *residual, void *z) {
  norm_work work;
  work.view = periodic_of(shape->rows * shape->channels, shape->channels);
  work.type = shape->type;
  work.x = x;
  work.residual = residual;
  work.z = z;
  work.streams = worth_streaming(&work.view, shape->type, z);
  work.low = low_of(shape->after);
  work.high = high_of(shape->after);
  work.sums = NULL;
  work.scale = shared_scratch(SLOT_PARAMETERS, (size_t)(4 * work.view.period) * sizeof(float));
  work.shift = work.scale + work.view.period;
  return work;
}

/* Normalises by scale and shift of the channels, given as [C] after the two [period] of them. */
static void apply(norm_work *work) {
  int64_t period = work->view.period;
  const float *scale = work->scale + 2 * period, *shift = work->scale + 3 * period;
  repeat_channels(&work->view, scale, work->scale);
  repeat_channels(&work->view, shift, work->shift);
  parallel_run(work->view.tasks, run_apply, work);
}

/*
 * x, residual (or NULL), z: [rows, C]; gamma, beta: [C]. Gives z, and [C] each: the batch's mean, its
 * unbiased variance (divided by rows - 1, by 1 for a single row) and 1 / sqrt(biased variance + epsilon).
 */
void batch_norm_training(const batch_norm_shape *shape, const void *x, const float *gamma, const float *beta,
                         const void *residual, void *z, float *mean, float *variance,
                         float *inverse_deviation) {
  norm_work work = work_of(shape, x, residual, z);
  int64_t channels = shape->channels, tasks = work.view.tasks;
  float *scales = work.scale + 2 * work.view.period, *shifts = scales + work.view.period;
  sample_means(&work, shape->rows, shifts);
  repeat_channels(&work.view, shifts, work.shift);
  work.sums = shared_scratch(SLOT_SUMS, (size_t)(tasks * 2 * channels) * sizeof(float));
  parallel_run(tasks, run_sum, &work);
  double *totals = shared_scratch(SLOT_TOTALS, (size_t)(2 * channels) * sizeof(double));
  sum_tasks(work.sums, tasks, 2 * channels, totals);
  double rows = (double)shape->rows;
  for (int64_t c = 0; c < channels; c++) {
    double off = totals[c] / rows, left = totals[channels + c] - totals[c] * off;
    // Rounding may leave less than nothing; what is no number has to stay none.
    left = left < 0 ? 0 : left;
    mean[c] = (float)(shifts[c] + off);
    variance[c] = (float)(left / (rows > 1 ? rows - 1 : 1));
    inverse_deviation[c] = 1 / sqrtf((float)(left / rows) + shape->epsilon);
    scale_and_shift(gamma[c], beta[c], mean[c], inverse_deviation[c], &scales[c], &shifts[c]);
  }
  apply(&work);
}

void batch_norm_scales(int64_t channels, float epsilon, const float *gamma, const float *beta,
                       const float *mean, const float *variance, float *scale, float *shift) {
  for (int64_t c = 0; c < channels; c++)
    scale_and_shift(gamma[c], beta[c], mean[c], 1 / sqrtf(variance[c] + epsilon), &scale[c], &shift[c]);
}

/* The same by given statistics, [C] each; `variance` goes under the root as it is. */
void batch_norm_inference(const batch_norm_shape *shape, const void *x, const float *gamma, const float *beta,
                          const float *mean, const float *variance, const void *residual, void *z) {
  norm_work work = work_of(shape, x, residual, z);
  float *scales = work.scale + 2 * work.view.period, *shifts = scales + work.view.period;
  batch_norm_scales(shape->channels, shape->epsilon, gamma, beta, mean, variance, scales, shifts);
  apply(&work);
}
