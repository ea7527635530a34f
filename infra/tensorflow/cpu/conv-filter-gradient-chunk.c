/* The geometry of a chunk: which rows and pixels it packs, and where the taps of the filter find them. */
#include "conv-filter-gradient-parts.h"

/* Runs of fewer pixels spend their time on beginning and ending. */
#define SHORT_RUN 7
/* Runs of more pixels leave it too long until more is fetched. */
#define LONG_RUN 16

/* In one direction: the outputs whose input under a tap exists. */
typedef struct {
  int64_t from, to;
} output_range;

/* Output o lies on input o * stride + offset. */
static output_range outputs_inside(int64_t size, int64_t outputs, int64_t stride, int64_t offset) {
  const int64_t from = offset < 0 ? at_most(divide_up(-offset, stride), outputs) : 0;
  const int64_t to = offset < size ? (size - 1 - offset) / stride + 1 : 0;
  return (output_range){from, at_least(at_most(to, outputs), from)};
}

/* The input rows that a chunk touches; of a filter of one row only those under its stride. */
static void choose_x_rows(gradient_chunk *c) {
  const window_shape *s = &c->plan->shape;
  const int64_t first = c->out_row * s->stride_height - s->pad_top;
  if (s->filter_height == 1) {
    const output_range inside = outputs_inside(s->height, c->out_rows, s->stride_height, first);
    c->x_row = first + inside.from * s->stride_height;
    c->x_rows = inside.to - inside.from;
    c->x_row_step = s->stride_height;
    return;
  }
  const int64_t reach = (c->out_rows - 1) * s->stride_height + (s->filter_height - 1) * s->dilation_height;
  c->x_row = at_least(first, 0);
  c->x_rows = at_least(at_most(first + reach + 1, s->height) - c->x_row, 0);
  c->x_row_step = 1;
}

static void choose_x_pixels(gradient_chunk *c) {
  const window_shape *s = &c->plan->shape;
  c->x_pixel = 0;
  c->x_pixels = s->width;
  c->x_pixel_step = 1;
  if (s->filter_width == 1) {
    const output_range inside = outputs_inside(s->width, s->out_width, s->stride_width, -s->pad_left);
    c->x_pixel = inside.from * s->stride_width - s->pad_left;
    c->x_pixels = inside.to - inside.from;
    c->x_pixel_step = s->stride_width;
  }
  const int as_rows = c->plan->order == TAPS_AS_ROWS;
  c->x_pitch = as_rows ? s->inputs : LANES;
  c->x_row_pixels = as_rows ? (s->out_width - 1) * s->stride_width + s->filter_width : c->x_pixels;
  c->x_step = s->stride_width / c->x_pixel_step * c->x_pitch;
}

gradient_chunk filter_gradient_chunk_of(const filter_gradient_plan *plan, int64_t index, int64_t row,
                                        int64_t column) {
  const window_shape *s = &plan->shape;
  gradient_chunk c = {.plan = plan, .row = row, .column = column};
  c.image = index / plan->bands * plan->chunk_images;
  c.images = at_most(plan->chunk_images, plan->images - c.image);
  c.out_row = index % plan->bands * plan->band;
  c.out_rows = at_most(plan->band, s->out_height - c.out_row);
  c.rows = at_most(plan->row_block, plan->rows - row);
  c.columns = at_most(plan->column_block, plan->columns - column);
  c.dy_row_pixels = plan->order == TAPS_AS_COLUMNS ? s->width + s->filter_width - 1 : s->out_width;
  choose_x_rows(&c);
  choose_x_pixels(&c);
  return c;
}

gradient_chunk filter_gradient_largest_chunk(const filter_gradient_plan *plan) {
  const window_shape *s = &plan->shape;
  gradient_chunk c = filter_gradient_chunk_of(plan, 0, 0, 0);
  /* Only the input rows of the first chunk may be fewer than those of others: it lies at the border. */
  const int64_t reach = (c.out_rows - 1) * s->stride_height + (s->filter_height - 1) * s->dilation_height;
  c.x_row = 0;
  c.x_rows = s->filter_height == 1 ? c.out_rows : at_most(reach + 1, s->height);
  return c;
}

int64_t filter_gradient_x_lanes(const gradient_chunk *c) {
  const int64_t panels = c->plan->order == TAPS_AS_ROWS ? 1 : divide_up(c->rows, LANES);
  return c->images * c->x_rows * c->x_row_pixels * c->x_pitch * panels;
}

int64_t filter_gradient_dy_lanes(const gradient_chunk *c) {
  const int64_t pixels = c->images * c->out_rows * c->dy_row_pixels;
  return pixels * (c->plan->order == TAPS_AS_COLUMNS ? c->plan->shape.outputs : round_up(c->columns, LANES));
}

packed_part filter_gradient_x_part(const gradient_chunk *c, const void *x) {
  const window_shape *s = &c->plan->shape;
  const int whole = c->plan->order == TAPS_AS_ROWS;
  return (packed_part){x, c->plan->is_bf16, s->batch, s->height, s->width, s->inputs,
                       c->image, c->images, c->x_row, c->x_rows, c->x_row_step,
                       c->x_pixel, c->x_pixels, c->x_pixel_step, c->row, whole ? s->inputs : c->rows};
}

packed_part filter_gradient_dy_part(const gradient_chunk *c, const void *dy) {
  const window_shape *s = &c->plan->shape;
  const int whole = c->plan->order == TAPS_AS_COLUMNS;
  return (packed_part){dy, c->plan->is_bf16, s->batch, s->out_height, s->out_width, s->outputs,
                       c->image, c->images, c->out_row, c->out_rows, 1,
                       0, s->out_width, 1, c->column, whole ? s->outputs : c->columns};
}

void filter_gradient_pack_x(const gradient_chunk *c, const void *x, float *packed) {
  const window_shape *s = &c->plan->shape;
  const packed_part part = filter_gradient_x_part(c, x);
  if (c->plan->order == TAPS_AS_ROWS) {
    filter_gradient_pack_rows(&part, s->pad_left * s->inputs, c->x_row_pixels * s->inputs, packed);
  } else {
    filter_gradient_pack_panels(&part, 1, packed);
  }
}

void filter_gradient_pack_dy(const gradient_chunk *c, const void *dy, float *packed) {
  const window_shape *s = &c->plan->shape;
  const packed_part part = filter_gradient_dy_part(c, dy);
  if (c->plan->order == TAPS_AS_COLUMNS) {
    const int64_t left = s->filter_width - 1 - s->pad_left;
    filter_gradient_pack_rows(&part, left * s->outputs, c->dy_row_pixels * s->outputs, packed);
  } else {
    filter_gradient_pack_panels(&part, 2, packed);
  }
}

/* A row's pixels that a tap joins to outputs: `length` of them from `first` on, outputs from `out` on. */
typedef struct {
  int64_t first, out, length;
} row_run;

static row_run row_run_of(const gradient_chunk *c, int64_t tap_column) {
  const window_shape *s = &c->plan->shape;
  if (c->plan->order == TAPS_AS_ROWS) return (row_run){0, 0, s->out_width};
  if (c->plan->order == TAPS_AS_COLUMNS) return (row_run){0, 0, s->width};
  const int64_t offset = tap_column * s->dilation_width - s->pad_left;
  const output_range inside = outputs_inside(s->width, s->out_width, s->stride_width, offset);
  const int64_t pixel = inside.from * s->stride_width + offset;
  return (row_run){(pixel - c->x_pixel) / c->x_pixel_step, inside.from, inside.to - inside.from};
}

int64_t filter_gradient_run_limit(const gradient_chunk *c) {
  return c->images * c->out_rows * divide_up(c->dy_row_pixels, LONG_RUN / 2);
}

int64_t filter_gradient_runs(const gradient_chunk *c, int64_t tap, pixel_run *runs, int64_t *steps) {
  const window_shape *s = &c->plan->shape;
  const int separate = c->plan->order == TAPS_SEPARATE;
  const int64_t tap_row = separate ? tap / s->filter_width : tap;
  const int64_t down = c->out_row * s->stride_height + tap_row * s->dilation_height - s->pad_top;
  const output_range rows = outputs_inside(s->height, c->out_rows, s->stride_height, down);
  const row_run run = row_run_of(c, separate ? tap % s->filter_width : 0);
  int64_t pieces = 1;
  while (run.length / pieces > LONG_RUN && run.length % (pieces * 2) == 0) pieces *= 2;
  *steps = run.length / pieces;
  const int64_t x_pixels = *steps * c->x_step / c->x_pitch;
  int64_t count = 0;
  for (int64_t image = 0; image < c->images && run.length > 0; image++) {
    for (int64_t out = rows.from; out < rows.to; out++) {
      const int64_t row = (out * s->stride_height + down - c->x_row) / c->x_row_step;
      const int64_t x = (image * c->x_rows + row) * c->x_row_pixels + run.first;
      const int64_t dy = (image * c->out_rows + out) * c->dy_row_pixels + run.out;
      for (int64_t i = 0; i < pieces; i++) runs[count++] = (pixel_run){x + i * x_pixels, dy + i * *steps};
    }
  }
  /* Short rows of both sides that follow on one another are one run. */
  const int whole = run.length < SHORT_RUN && run.length == c->dy_row_pixels &&
                    run.length * c->x_step == c->x_row_pixels * c->x_pitch &&
                    count == c->images * c->out_rows && count == c->images * c->x_rows;
  if (!whole) return count;
  *steps *= count;
  return at_most(count, 1);
}
