/* Average pooling of whole feature maps, [N, pixels, C] -> [N, C], an image a task. */
#include "global-mean.h"

#define BLOCK 4

typedef struct {
  global_mean_shape shape;
  const void *source;
  void *target;
} mean_work;

/* Sums of `BLOCK` vectors of channels, those of an image's pixels one after another. */
INLINE void mean_block(const global_mean_shape *shape, element type, const void *x, int64_t image,
                       int64_t channel, float *mean) {
  const lanes share = lanes_of(1.0f / (float)shape->pixels);
  lanes sum[BLOCK];
  for (int k = 0; k < BLOCK; k++) sum[k] = lanes_of(0);
  for (int64_t pixel = image * shape->pixels; pixel < (image + 1) * shape->pixels; pixel++) {
    for (int k = 0; k < BLOCK; k++) {
      sum[k] = lanes_add(sum[k], lanes_load(x, pixel * shape->channels + channel + k * LANES, type));
    }
  }
  for (int k = 0; k < BLOCK; k++) {
    lanes_store(mean, image * shape->channels + channel + k * LANES, lanes_mul(sum[k], share), FLOAT32);
  }
}

INLINE void mean_image(const mean_work *work, element type, int64_t image) {
  const global_mean_shape *shape = &work->shape;
  const int64_t channels = shape->channels;
  float *mean = work->target;
  int64_t channel = 0;
  for (; channel + BLOCK * LANES <= channels; channel += BLOCK * LANES) {
    mean_block(shape, type, work->source, image, channel, mean);
  }
  for (; channel < channels; channel++) {
    float sum = 0;
    for (int64_t pixel = image * shape->pixels; pixel < (image + 1) * shape->pixels; pixel++) {
      sum += load_one(work->source, pixel * channels + channel, type);
    }
    mean[image * channels + channel] = sum / (float)shape->pixels;
  }
}

static void run_mean(void *context, int64_t image, int thread) {
  const mean_work *work = context;
  (void)thread;
  if (work->shape.type == FLOAT32) mean_image(work, FLOAT32, image);
  else mean_image(work, BFLOAT16, image);
}

INLINE void spread_image(const mean_work *work, element type, int64_t image) {
  const int64_t channels = work->shape.channels;
  const float share = 1.0f / (float)work->shape.pixels;
  const float *dy = (const float *)work->source + image * channels;
  for (int64_t pixel = image * work->shape.pixels; pixel < (image + 1) * work->shape.pixels; pixel++) {
    int64_t channel = 0;
    for (; channel + LANES <= channels; channel += LANES) {
      const lanes part = lanes_mul(lanes_load(dy, channel, FLOAT32), lanes_of(share));
      lanes_store(work->target, pixel * channels + channel, part, type);
    }
    for (; channel < channels; channel++) {
      store_one(work->target, pixel * channels + channel, dy[channel] * share, type);
    }
  }
}

static void run_spread(void *context, int64_t image, int thread) {
  const mean_work *work = context;
  (void)thread;
  if (work->shape.type == FLOAT32) spread_image(work, FLOAT32, image);
  else spread_image(work, BFLOAT16, image);
}

/* x: [N, pixels, C]; mean: [N, C], in float32 throughout. */
void global_mean(const global_mean_shape *shape, const void *x, float *mean) {
  mean_work work = {*shape, x, mean};
  parallel_run(shape->batch, run_mean, &work);
}

/* dx = dy / pixels for every pixel; dy: [N, C], dx: [N, pixels, C]. */
void global_mean_gradient(const global_mean_shape *shape, const float *dy, void *dx) {
  mean_work work = {*shape, dy, dx};
  parallel_run(shape->batch, run_spread, &work);
}
