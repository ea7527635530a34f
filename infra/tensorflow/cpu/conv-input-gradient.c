#include "conv.h"
#include "conv-plan.h"

/*
 * Input pixels whose coordinates agree modulo the stride (a phase) are reached by the same taps, those h with
 * (phase + pad - h * dilation) divisible by the stride, and neighbours among them by neighbours of dy.
 */
static conv_axis gradient_axis(
  int64_t phase, int64_t input, int64_t output, int64_t filter, int64_t stride, int64_t pad, int64_t dilation
) {
  conv_axis axis = {.source = output, .outputs = conv_ceil(input - phase, stride), .stride = 1};
  int64_t taps = 0, previous = 0;
  for (int64_t h = 0; h < filter; h++) {
    int64_t reach = phase + pad - h * dilation;
    if (reach % stride != 0) continue;
    if (taps == 0) {
      axis.first = reach / stride;
      axis.weight = h;
    }
    if (taps == 1) {
      axis.step = reach / stride - axis.first;
      axis.weight_step = h - previous;
    }
    previous = h;
    taps++;
  }
  axis.taps = taps;
  return axis;
}

static conv_plan gradient_plan(const window_shape *shape, int64_t row, int64_t column, int is_bf16) {
  return (conv_plan){
    .rows = gradient_axis(
      row, shape->height, shape->out_height, shape->filter_height, shape->stride_height, shape->pad_top,
      shape->dilation_height
    ),
    .columns = gradient_axis(
      column, shape->width, shape->out_width, shape->filter_width, shape->stride_width, shape->pad_left,
      shape->dilation_width
    ),
    .batch = shape->batch,
    .pixel = shape->outputs,
    .row = shape->out_width * shape->outputs,
    .depth = shape->outputs,
    .outputs = shape->inputs,
    .out_pixel = shape->stride_width * shape->inputs,
    .out_row = shape->stride_height * shape->width * shape->inputs,
    .out_image = shape->height * shape->width * shape->inputs,
    .is_bf16 = is_bf16
  };
}

/* Neighbouring pixels are one row where a filter of one pixel reads each once: a matrix product. */
static void join_rows(conv_plan *plan) {
  if (plan->rows.taps != 1 || plan->columns.taps != 1) return;
  if (plan->rows.first != 0 || plan->columns.first != 0) return;
  if (plan->rows.source != plan->rows.outputs || plan->columns.source != plan->columns.outputs) return;
  if (plan->out_row != plan->columns.outputs * plan->outputs) return;
  plan->columns.source = plan->columns.outputs = plan->batch * plan->rows.outputs * plan->columns.outputs;
  plan->batch = plan->rows.source = plan->rows.outputs = 1;
  plan->row = plan->columns.source * plan->pixel;
}

static void gradient(const window_shape *shape, const void *dy, const float *filter, void *dx, int is_bf16) {
  conv_filter read = {
    .values = filter,
    .width = shape->filter_width,
    .tap_step = shape->inputs * shape->outputs,
    .k_step = 1,
    .n_step = shape->outputs
  };
  int64_t element = is_bf16 ? 2 : 4;
  for (int64_t row = 0; row < conv_minimum(shape->stride_height, shape->height); row++) {
    for (int64_t column = 0; column < conv_minimum(shape->stride_width, shape->width); column++) {
      conv_plan plan = gradient_plan(shape, row, column, is_bf16);
      join_rows(&plan);
      conv_run(&plan, &read, dy, (char *)dx + (row * shape->width + column) * shape->inputs * element);
    }
  }
}

void conv_input_gradient_f32(const window_shape *shape, const float *dy, const float *filter, float *dx) {
  gradient(shape, dy, filter, dx, 0);
}

void conv_input_gradient_bf16(const window_shape *shape, const bf16 *dy, const float *filter, bf16 *dx) {
  gradient(shape, dy, filter, dx, 1);
}
