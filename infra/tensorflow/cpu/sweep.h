/*
 * One axis of a sliding window, seen from what is computed: which cells of the source each result reads, and
 * with which taps. A forward pass is one sweep over all results. In a gradient with respect to the input,
 * cells that lie `stride` apart read neighbouring windows with the same taps, so it is one sweep for each
 * remainder.
 */
#ifndef DISTILLERY_SWEEP_H
#define DISTILLERY_SWEEP_H

#include "kernels.h"

typedef struct {
  /* Result i of `count` lies at first + i * step. */
  int64_t first, step, count;
  /* Its j-th tap of `taps` is tap + j * tap_step of the filter ... */
  int64_t taps, tap, tap_step;
  /* ... and reads cell source + i * stride + j * source_step, if that is in [0, extent). */
  int64_t source, stride, source_step, extent;
} sweep;

/* What one axis of `window_shape` says. */
typedef struct {
  int64_t extent, out_extent, filter, stride, pad, dilation;
} window_axis;

static inline window_axis rows_of(const window_shape *s) {
  return (window_axis){s->height,        s->out_height, s->filter_height,
                       s->stride_height, s->pad_top,    s->dilation_height};
}

static inline window_axis columns_of(const window_shape *s) {
  return (window_axis){s->width,        s->out_width, s->filter_width,
                       s->stride_width, s->pad_left,  s->dilation_width};
}

static inline sweep forward_sweep(const window_axis *axis) {
  return (sweep){.first = 0,
                 .step = 1,
                 .count = axis->out_extent,
                 .taps = axis->filter,
                 .tap = 0,
                 .tap_step = 1,
                 .source = -axis->pad,
                 .stride = axis->stride,
                 .source_step = axis->dilation,
                 .extent = axis->extent};
}

static inline int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/*
 * The cells x = remainder + i * stride of the input, remainder < stride. Window o touches x with tap k if
 * o * stride + k * dilation = x + pad: every (stride / g)-th tap from the first that solves it, g being the
 * greatest common divisor of both steps. Taps are taken from the last to the first, so that windows ascend.
 */
static inline sweep gradient_sweep(const window_axis *axis, int64_t remainder) {
  const int64_t divisor = common_divisor(axis->stride, axis->dilation);
  const int64_t period = axis->stride / divisor;
  const int64_t offset = remainder + axis->pad;
  int64_t tap = 0;
  while (tap < period && (offset - tap * axis->dilation) % axis->stride != 0)
    tap++;
  const int64_t taps = tap < period && tap < axis->filter ? (axis->filter - 1 - tap) / period + 1 : 0;
  const int64_t last = taps > 0 ? tap + (taps - 1) * period : 0;
  return (sweep){.first = remainder,
                 .step = axis->stride,
                 .count = (axis->extent - remainder + axis->stride - 1) / axis->stride,
                 .taps = taps,
                 .tap = last,
                 .tap_step = -period,
                 .source = taps > 0 ? (offset - last * axis->dilation) / axis->stride : 0,
                 .stride = 1,
                 .source_step = axis->dilation / divisor,
                 .extent = axis->out_extent};
}

typedef struct {
  int64_t first, end;
} range;

/* The taps with which result i reads cells that exist. */
static inline range taps_within(const sweep *along, int64_t i) {
  const int64_t start = along->source + i * along->stride;
  const int64_t step = along->source_step;
  const int64_t first = start < 0 ? (-start + step - 1) / step : 0;
  const int64_t end = start < along->extent ? (along->extent - 1 - start) / step + 1 : 0;
  const int64_t some = end < along->taps ? end : along->taps;
  return (range){first, first < some ? some : first};
}

/* Whether each of `width` results from i on reads cells that exist with all its taps. */
static inline int all_within(const sweep *along, int64_t i, int64_t width) {
  const int64_t start = along->source + i * along->stride;
  const int64_t last = start + (width - 1) * along->stride + (along->taps - 1) * along->source_step;
  return start >= 0 && last < along->extent;
}

#endif
