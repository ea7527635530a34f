#include "separable.h"
#include "conv-plan.h"
#include "conv.h"
#include "depthwise-gathered.h"
#include "depthwise.h"

/* Channels whose pixels of a few rows stay in a core's first cache, where neighbouring rows find them. */
#define NEAR_CHANNELS 64

/* Rows of the depthwise half: those of all images, one below the other. */
INNER void make_rows(const gathered_tensor *half, int64_t column, int64_t columns, char *lines,
                     int64_t line_step, element type) {
  gathered_tensor work = *half;
  const int64_t width = work.shape.out_width, height = work.shape.out_height;
  const int64_t first = column / width, rows = columns / width;
  work.line_step = line_step;
  for (work.from = 0; work.from < work.shape.inputs; work.from = work.to) {
    work.to = conv_minimum(work.from + NEAR_CHANNELS, work.shape.inputs);
    for (int64_t row = 0; row < rows; row++) {
      const int64_t y = first + row;
      gather_row_into(lines + row * width * CONV_LINE, &work, y / height, y % height, MULTIPLIED, type);
    }
  }
}

static void make_f32(const void *context, int64_t column, int64_t columns, char *lines, int64_t line_step) {
  make_rows(context, column, columns, lines, line_step, FLOAT32);
}

static void make_bf16(const void *context, int64_t column, int64_t columns, char *lines, int64_t line_step) {
  make_rows(context, column, columns, lines, line_step, BFLOAT16);
}

/* What the block's rows read, from the first to the last. */
static conv_memory reads(const void *context, int64_t column, int64_t columns) {
  const gathered_tensor *half = context;
  const window_shape *s = &half->shape;
  const int64_t first = column / s->out_width, last = (column + columns) / s->out_width - 1;
  const int64_t line = s->width * s->inputs * element_bytes(half->type);
  const row_place from = row_place_of(half, first % s->out_height);
  const row_place to = row_place_of(half, last % s->out_height);
  const char *source = half->source;
  return (conv_memory){source + (first / s->out_height * s->height + rows_read(&from).first) * line,
                       source + (last / s->out_height * s->height + rows_read(&to).end) * line};
}

int separable_supported(const window_shape *shape, int is_bf16) {
  window_shape half = *shape;
  half.outputs = shape->inputs;
  return depthwise_supported(&half, is_bf16) && conv_forward_supported(shape, is_bf16);
}

void separable_forward(const window_shape *shape, const void *x, const separable_filters *filters, void *z,
                       int is_bf16, kept_filter *kept) {
  const int64_t columns = shape->batch * shape->out_height * shape->out_width;
  channel_finish between;
  gathered_tensor half = depthwise_gathered(shape, is_bf16 ? BFLOAT16 : FLOAT32, filters->depthwise,
                                            &filters->between, &between);
  half.source = x;
  const conv_maker maker = {is_bf16 ? make_bf16 : make_f32, reads, &half, shape->out_width};
  const conv_axis one = {.source = 1, .outputs = 1, .stride = 1, .taps = 1, .step = 1, .weight_step = 1};
  conv_plan plan = {.rows = one,
                    .columns = one,
                    .batch = 1,
                    .pixel = shape->inputs,
                    .row = columns * shape->inputs,
                    .depth = shape->inputs,
                    .outputs = shape->outputs,
                    .out_pixel = shape->outputs,
                    .out_row = columns * shape->outputs,
                    .out_image = columns * shape->outputs,
                    .is_bf16 = is_bf16,
                    .finish = &filters->after,
                    .maker = &maker};
  plan.columns.source = plan.columns.outputs = columns;
  const conv_filter read = {.values = filters->pointwise,
                            .width = 1,
                            .tap_step = shape->inputs * shape->outputs,
                            .k_step = shape->outputs,
                            .n_step = 1,
                            .kept = kept};
  conv_run(&plan, &read, NULL, z);
}
