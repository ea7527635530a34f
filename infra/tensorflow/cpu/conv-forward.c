#include "conv.h"
#include "conv-plan.h"

/* Pixels far shorter than a line: a row of taps is read as one pixel of `filter_width * inputs` channels. */
static int is_flattened(const window_shape *shape, int is_bf16) {
  return shape->filter_width > 1 && shape->dilation_width == 1 && shape->inputs * (is_bf16 ? 2 : 4) <= 16;
}

/* Neighbouring pixels are then one row: a matrix product. */
static int is_pointwise(const window_shape *shape) {
  return shape->filter_height == 1 && shape->filter_width == 1 && shape->stride_height == 1 &&
    shape->stride_width == 1 && shape->out_height == shape->height && shape->out_width == shape->width &&
    shape->pad_top == 0 && shape->pad_left == 0;
}

static conv_plan forward_plan(const window_shape *shape, int is_bf16) {
  int flattened = is_flattened(shape, is_bf16);
  conv_plan plan = {
    .rows = {
      .source = shape->height,
      .outputs = shape->out_height,
      .stride = shape->stride_height,
      .taps = shape->filter_height,
      .first = -shape->pad_top,
      .step = shape->dilation_height,
      .weight_step = 1
    },
    .columns = {
      .source = shape->width,
      .outputs = shape->out_width,
      .stride = shape->stride_width,
      .taps = flattened ? 1 : shape->filter_width,
      .first = -shape->pad_left,
      .step = shape->dilation_width,
      .weight_step = 1
    },
    .batch = shape->batch,
    .pixel = shape->inputs,
    .row = shape->width * shape->inputs,
    .depth = shape->inputs * (flattened ? shape->filter_width : 1),
    .outputs = shape->outputs,
    .out_pixel = shape->outputs,
    .out_row = shape->out_width * shape->outputs,
    .out_image = shape->out_height * shape->out_width * shape->outputs,
    .is_bf16 = is_bf16
  };
  if (is_pointwise(shape)) {
    plan.batch = plan.rows.source = plan.rows.outputs = 1;
    plan.columns.source = plan.columns.outputs = shape->batch * shape->height * shape->width;
    plan.row = plan.columns.source * shape->inputs;
  }
  return plan;
}

void conv_forward(
  const window_shape *shape, const void *x, const float *filter, void *y, int is_bf16, kept_filter *kept,
  const channel_finish *finish
) {
  conv_plan plan = forward_plan(shape, is_bf16);
  plan.finish = finish;
  conv_filter read = {
    .values = filter,
    .width = plan.columns.taps,
    .tap_step = plan.depth * shape->outputs,
    .k_step = shape->outputs,
    .n_step = 1,
    .kept = kept
  };
  conv_run(&plan, &read, x, y);
}

void conv_forward_f32(const window_shape *shape, const float *x, const float *filter, float *y) {
  conv_forward(shape, x, filter, y, 0, NULL, NULL);
}

void conv_forward_bf16(const window_shape *shape, const bf16 *x, const float *filter, bf16 *y) {
  conv_forward(shape, x, filter, y, 1, NULL, NULL);
}
