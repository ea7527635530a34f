/*
 * The gradient of max pooling. Rows of windows are marked with the tap that reads their greatest cell; cells
 * then take `dy` of the windows that have marked them. Marks of a few rows stay in the cache.
 */
#include "gather-rows.h"
#include "pool.h"

/* So many rows of windows are marked between one move of the marks that are still needed and the next. */
#define STEP 4

typedef struct {
  window_shape shape;
  element type;
  const void *x, *dy;
  void *dx;
  int64_t bands;
  int streamed;
} max_work;

/* The windows that rows [first, end) of the input have a part in. */
static range windows_over(const window_shape *s, int64_t first, int64_t end) {
  const int64_t reach = (s->filter_height - 1) * s->dilation_height, stride = s->stride_height;
  const int64_t low = first + s->pad_top - reach, high = end - 1 + s->pad_top;
  const int64_t after = high / stride + 1;
  return (range){low > 0 ? (low + stride - 1) / stride : 0, after < s->out_height ? after : s->out_height};
}

/* Rows of windows that any STEP * stride rows of the input have a part in. */
static int64_t kept_rows(const window_shape *s) {
  return STEP + (s->filter_height - 1) * s->dilation_height / s->stride_height + 2;
}

/* Rows [first, end) of an image of dx; `held` windows are marked before and after. */
INNER void gradient_rows(const max_work *work, int64_t image, int64_t first, int64_t end, uint16_t *kept,
                          range *held, element type) {
  const window_shape *s = &work->shape;
  const int64_t line = s->out_width * padded_channels(s->inputs);
  const range wanted = windows_over(s, first, end);
  if (wanted.first < held->end)
    memmove(kept, kept + (wanted.first - held->first) * line,
            (size_t)((held->end - wanted.first) * line) * sizeof *kept);
  const gathered_tensor marking = {.shape = *s, .type = type, .source = work->x};
  for (int64_t y = held->end > wanted.first ? held->end : wanted.first; y < wanted.end; y++)
    gather_row_into(kept + (y - wanted.first) * line, &marking, image, y, MARKING, type);
  *held = wanted;
  const gathered_tensor taking = {.shape = *s,
                                  .type = type,
                                  .backward = 1,
                                  .source = work->dy,
                                  .out = work->dx,
                                  .streamed = work->streamed,
                                  .marks = kept,
                                  .marks_first = wanted.first};
  for (int64_t y = first; y < end; y++) {
    const int64_t at = (image * s->height + y) * s->width * s->inputs * element_bytes(type);
    gather_row_into((char *)work->dx + at, &taking, image, y, MARKED, type);
  }
}

INNER void gradient_band(const max_work *work, int64_t index, int thread, element type) {
  const window_shape *s = &work->shape;
  const int64_t image = index / work->bands, band = index % work->bands, step = STEP * s->stride_height;
  const int64_t begin = band * s->height / work->bands, end = (band + 1) * s->height / work->bands;
  const int64_t line = s->out_width * padded_channels(s->inputs);
  uint16_t *kept = thread_scratch(thread, (size_t)(kept_rows(s) * line) * sizeof *kept);
  range held = {0, 0};
  for (int64_t first = begin; first < end; first += step)
    gradient_rows(work, image, first, first + step < end ? first + step : end, kept, &held, type);
  if (work->streamed) streamed();
}

static void run_f32(void *context, int64_t index, int thread) {
  gradient_band(context, index, thread, FLOAT32);
}

static void run_bf16(void *context, int64_t index, int thread) {
  gradient_band(context, index, thread, BFLOAT16);
}

static void max_pool_gradient(const window_shape *shape, element type, const void *x, const void *dy,
                              void *dx) {
  const gathered_tensor results = {.shape = *shape, .type = type, .backward = 1, .out = dx};
  max_work work = {*shape, type, x, dy, dx, bands_of(shape, shape->height), worth_streaming(&results)};
  parallel_run(shape->batch * work.bands, type == FLOAT32 ? run_f32 : run_bf16, &work);
}

void max_pool_gradient_f32(const window_shape *shape, const float *x, const float *dy, float *dx) {
  max_pool_gradient(shape, FLOAT32, x, dy, dx);
}

void max_pool_gradient_bf16(const window_shape *shape, const bf16 *x, const bf16 *dy, bf16 *dx) {
  max_pool_gradient(shape, BFLOAT16, x, dy, dx);
}
