/*
 * Depthwise convolution (Howard et al., MobileNets, arXiv 1704.04861, section 3.1) forward, and its gradient
 * with respect to the input, which is one too: of `dy`, with the filter turned about.
 */
#include "depthwise.h"
#include "depthwise-gathered.h"

/* The first ones are left to what a separable convolution's other half takes. */
enum { SLOT_ORDERED_FILTER = 4, SLOT_ORDERED_FINISH = 5 };

int depthwise_supported(const window_shape *shape, int is_bf16) {
  (void)is_bf16;
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
  return shape->inputs == shape->outputs;
#else
  return (void)shape, 0;
#endif
}

static void run_f32(void *context, int64_t index, int thread) {
  (void)thread;
  gather_band(context, index, MULTIPLIED, FLOAT32);
}

static void run_bf16(void *context, int64_t index, int thread) {
  (void)thread;
  gather_band(context, index, MULTIPLIED, BFLOAT16);
}

gathered_tensor depthwise_gathered(const window_shape *shape, element type, const float *filter,
                                   const channel_finish *finish, channel_finish *ordered_finish) {
  const int64_t c = shape->inputs, padded = padded_channels(c);
  const int64_t taps = shape->filter_height * shape->filter_width;
  float *ordered = shared_scratch(SLOT_ORDERED_FILTER, (size_t)(taps * padded) * sizeof(float));
  for (int64_t tap = 0; tap < taps; tap++)
    channels_order(filter + tap * c, c, ordered + tap * padded, type);
  if (finish != NULL) {
    float *numbers = shared_scratch(SLOT_ORDERED_FINISH, (size_t)(2 * padded) * sizeof(float));
    channels_order(finish->scale, c, numbers, type);
    channels_order(finish->shift, c, numbers + padded, type);
    *ordered_finish = *finish;
    ordered_finish->scale = numbers;
    ordered_finish->shift = numbers + padded;
  }
  return (gathered_tensor){
      .shape = *shape, .type = type, .filter = ordered, .finish = finish == NULL ? NULL : ordered_finish};
}

static void convolve(const window_shape *shape, element type, int backward, const void *source,
                     const float *filter, void *out, const channel_finish *finish) {
  channel_finish ordered_finish;
  gathered_tensor work = depthwise_gathered(shape, type, filter, finish, &ordered_finish);
  work.backward = backward;
  work.source = source;
  work.out = out;
  work.bands = bands_of(shape, backward ? shape->height : shape->out_height);
  work.streamed = worth_streaming(&work);
  parallel_run(shape->batch * work.bands, type == FLOAT32 ? run_f32 : run_bf16, &work);
}

void depthwise_forward_f32(const window_shape *shape, const float *x, const float *filter, float *y) {
  convolve(shape, FLOAT32, 0, x, filter, y, NULL);
}

void depthwise_forward_bf16(const window_shape *shape, const bf16 *x, const float *filter, bf16 *y) {
  convolve(shape, BFLOAT16, 0, x, filter, y, NULL);
}

void depthwise_forward_finished(const window_shape *shape, const void *x, const float *filter, void *z,
                                int is_bf16, const channel_finish *finish) {
  convolve(shape, is_bf16 ? BFLOAT16 : FLOAT32, 0, x, filter, z, finish);
}

void depthwise_input_gradient_f32(const window_shape *shape, const float *dy, const float *filter,
                                  float *dx) {
  convolve(shape, FLOAT32, 1, dy, filter, dx, NULL);
}

void depthwise_input_gradient_bf16(const window_shape *shape, const bf16 *dy, const float *filter, bf16 *dx) {
  convolve(shape, BFLOAT16, 1, dy, filter, dx, NULL);
}
