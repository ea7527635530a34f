/* Where source pixels lie in scratch memory, and how many of them at a time. */
#include "conv-source.h"
#include "conv-tile.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

static int64_t magnitude(int64_t value) { return value < 0 ? -value : value; }

static int64_t divisor(int64_t a, int64_t b) { return b == 0 ? a : divisor(b, a % b); }

/* Taps that are a period apart belong to one phase. */
static int64_t period(const conv_axis *axis) {
  return axis->stride / divisor(axis->stride, magnitude(axis->step));
}

static int64_t reach(const conv_axis *axis) {
  return axis->taps > 0 ? (axis->taps - 1) * magnitude(axis->step) : 0;
}

static conv_span span_of(const conv_axis *axis, int64_t outputs) {
  return (conv_span){
    .phases = conv_minimum(axis->taps, period(axis)),
    .slots = outputs + reach(axis) / axis->stride,
    .lowest = axis->first - conv_tap_distance(axis, 0)
  };
}

static conv_layout layout_of(const conv_plan *plan, int64_t images, int64_t height, int64_t width) {
  conv_layout layout = {
    .images = images,
    .height = height,
    .width = width,
    .rows = span_of(&plan->rows, height),
    .columns = span_of(&plan->columns, width)
  };
  layout.column_step = images * CONV_LINE;
  layout.phase_step = layout.columns.slots * layout.column_step;
  layout.line_step = layout.columns.phases * layout.phase_step;
  layout.row_step = conv_lines(plan) * layout.line_step;
  layout.row_phase_step = layout.rows.slots * layout.row_step;
  return layout;
}

int64_t conv_tap_offset(const conv_plan *plan, const conv_layout *layout, int64_t row, int64_t column) {
  int64_t row_slot = conv_tap_distance(&plan->rows, row) / plan->rows.stride;
  int64_t column_slot = conv_tap_distance(&plan->columns, column) / plan->columns.stride;
  return row % period(&plan->rows) * layout->row_phase_step + row_slot * layout->row_step +
    column % period(&plan->columns) * layout->phase_step + column_slot * layout->column_step;
}

conv_range conv_taps_inside(const conv_axis *axis, int64_t output) {
  conv_range taps = {0, axis->taps};
  int64_t start = output * axis->stride + axis->first;
#define OUTSIDE(tap) (start + (tap) * axis->step < 0 || start + (tap) * axis->step >= axis->source)
  while (taps.begin < taps.end && OUTSIDE(taps.begin)) taps.begin++;
  while (taps.begin < taps.end && OUTSIDE(taps.end - 1)) taps.end--;
#undef OUTSIDE
  return taps;
}

conv_range conv_source_range(const conv_axis *axis, const conv_span *span, int64_t output, int64_t count) {
  int64_t begin = output * axis->stride + span->lowest;
  int64_t end = begin + (count - 1) * axis->stride + reach(axis) + 1;
  return (conv_range){begin < 0 ? 0 : begin, conv_minimum(end, axis->source)};
}

/* Bytes of packed source that leave place for a panel of the filter in a core's second cache. */
#define BLOCK_BYTES (192 << 10)
/* The same where each pixel is read once. */
#define POINT_BYTES (64 << 10)

/* Cuts `total` into the fewest parts of at most about `limit`, of one size, a multiple of `unit`. */
static int64_t part(int64_t total, int64_t limit, int64_t unit) {
  int64_t size = conv_ceil(total, conv_ceil(total, limit < 1 ? 1 : limit));
  return conv_minimum(conv_ceil(size, unit) * unit, total);
}

/* Whether tiles of images are large enough, and leave out so many taps that it pays. */
static int is_by_images(const conv_plan *plan, int64_t images) {
  int64_t inside = 0, all = plan->columns.outputs * plan->columns.taps;
  if (images < 8 || plan->columns.outputs > 20 || plan->depth > plan->pixel) return 0;
  for (int64_t column = 0; column < plan->columns.outputs; column++) {
    conv_range taps = conv_taps_inside(&plan->columns, column);
    inside += taps.end - taps.begin;
  }
  return (all - inside) * 28 > all;
}

/* Filters that stay in a core's second cache from block to block, which may then be small and many. */
#define LASTING_BYTES (256 << 10)

/* Blocks of whole units, where they are short so many of them that tiles are full. */
static conv_layout layout_of_made(const conv_plan *plan) {
  int64_t unit = plan->maker->unit, column_bytes = conv_lines(plan) * CONV_LINE;
  int64_t limit = conv_packed_size(plan) <= LASTING_BYTES ? POINT_BYTES / 2 : POINT_BYTES;
  if (unit < CONV_TILE_WIDTH) unit *= CONV_TILE_WIDTH / unit;
  return layout_of(plan, 1, 1, part(plan->columns.outputs, limit / column_bytes, unit));
}

conv_layout conv_choose_layout(const conv_plan *plan) {
  if (plan->maker != NULL) return layout_of_made(plan);
  int64_t images = conv_tile_width(plan->batch), width = plan->columns.outputs;
  int64_t limit = plan->rows.taps * plan->columns.taps == 1 ? POINT_BYTES : BLOCK_BYTES;
  if (!is_by_images(plan, images)) images = 1;
  conv_layout one = layout_of(plan, images, 1, width);
  int64_t row_bytes = one.row_step * plan->rows.stride;
  int64_t column_bytes = one.rows.phases * one.row_phase_step / width;
  if (images == 1 && column_bytes * width > limit)
    return layout_of(plan, 1, 1, part(width, limit / (column_bytes + 1), CONV_TILE_WIDTH));
  int64_t unit = images > 1 ? 1 : 2;
  int64_t height = row_bytes > 0 ? part(plan->rows.outputs, limit / row_bytes, unit) : plan->rows.outputs;
  return layout_of(plan, images, height, width);
}

#endif
