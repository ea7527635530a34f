/* Max pooling forward, and average pooling with its gradient. */
#include "pool.h"
#include "gather-rows.h"

enum { SLOT_SHARES = 0 };

int pool_supported(const window_shape *shape, int is_bf16) {
  (void)is_bf16;
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
  /* Taps are marked with 16 bits. */
  return shape->filter_height * shape->filter_width <= 1 << 16;
#else
  return (void)shape, 0;
#endif
}

/* One over how many cells each window has along an axis, [out_extent]; 0 where it has none. */
static void write_shares(const window_axis *axis, float *shares) {
  const sweep along = forward_sweep(axis);
  for (int64_t i = 0; i < along.count; i++) {
    const range taps = taps_within(&along, i);
    shares[i] = taps.end > taps.first ? 1.0f / (float)(taps.end - taps.first) : 0;
  }
}

static void pool(const window_shape *shape, element type, int backward, const void *source, void *out,
                 parallel_task run) {
  const window_axis rows = rows_of(shape), columns = columns_of(shape);
  float *shares =
      shared_scratch(SLOT_SHARES, (size_t)(rows.out_extent + columns.out_extent) * sizeof *shares);
  write_shares(&rows, shares);
  write_shares(&columns, shares + rows.out_extent);
  gathered_tensor work = {.shape = *shape,
                          .type = type,
                          .backward = backward,
                          .source = source,
                          .out = out,
                          .row_shares = shares,
                          .column_shares = shares + rows.out_extent,
                          .bands = bands_of(shape, backward ? shape->height : shape->out_height)};
  work.streamed = worth_streaming(&work);
  parallel_run(shape->batch * work.bands, run, &work);
}

#define TASK(name, how, type)                                                                                \
  static void name(void *context, int64_t index, int thread) {                                               \
    (void)thread;                                                                                            \
    gather_band(context, index, how, type);                                                                  \
  }

TASK(greatest_f32, GREATEST, FLOAT32)
TASK(greatest_bf16, GREATEST, BFLOAT16)
TASK(averaged_f32, AVERAGED, FLOAT32)
TASK(averaged_bf16, AVERAGED, BFLOAT16)
TASK(shared_f32, SHARED, FLOAT32)
TASK(shared_bf16, SHARED, BFLOAT16)

void max_pool_forward_f32(const window_shape *shape, const float *x, float *y) {
  pool(shape, FLOAT32, 0, x, y, greatest_f32);
}

void max_pool_forward_bf16(const window_shape *shape, const bf16 *x, bf16 *y) {
  pool(shape, BFLOAT16, 0, x, y, greatest_bf16);
}

void average_pool_forward_f32(const window_shape *shape, const float *x, float *y) {
  pool(shape, FLOAT32, 0, x, y, averaged_f32);
}

void average_pool_forward_bf16(const window_shape *shape, const bf16 *x, bf16 *y) {
  pool(shape, BFLOAT16, 0, x, y, averaged_bf16);
}

void average_pool_gradient_f32(const window_shape *shape, const float *dy, float *dx) {
  pool(shape, FLOAT32, 1, dy, dx, shared_f32);
}

void average_pool_gradient_bf16(const window_shape *shape, const bf16 *dy, bf16 *dx) {
  pool(shape, BFLOAT16, 1, dy, dx, shared_bf16);
}
