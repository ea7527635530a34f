/* Source pixels, copied into the lines that tiles read. */
#include "conv-source.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#include <string.h>

static int64_t magnitude(int64_t value) { return value < 0 ? -value : value; }

static int64_t divisor(int64_t a, int64_t b) { return b == 0 ? a : divisor(b, a % b); }

/* Pixels from the lowest tap's to tap `tap`'s. */
static int64_t distance(const conv_axis *axis, int64_t tap) {
  return (axis->step < 0 ? tap - (axis->taps - 1) : tap) * axis->step;
}

/* Taps that are a period apart belong to one phase. */
static int64_t period(const conv_axis *axis) {
  return axis->stride / divisor(axis->stride, magnitude(axis->step));
}

static conv_span span_of(const conv_axis *axis, int64_t outputs) {
  int64_t last = axis->taps > 0 ? axis->taps - 1 : 0;
  return (conv_span){
    .phases = conv_minimum(axis->taps, period(axis)),
    .slots = outputs + last * magnitude(axis->step) / axis->stride,
    .lowest = axis->first - distance(axis, 0)
  };
}

conv_layout conv_layout_of(const conv_plan *plan, int64_t height, int64_t width) {
  conv_layout layout = {
    .height = height,
    .width = width,
    .rows = span_of(&plan->rows, height),
    .columns = span_of(&plan->columns, width)
  };
  layout.phase_step = layout.columns.slots * CONV_LINE;
  layout.line_step = layout.columns.phases * layout.phase_step;
  layout.row_step = conv_lines(plan) * layout.line_step;
  layout.row_phase_step = layout.rows.slots * layout.row_step;
  return layout;
}

conv_range conv_source_range(const conv_axis *axis, const conv_span *span, int64_t output, int64_t count) {
  int64_t begin = output * axis->stride + span->lowest, last = axis->taps > 0 ? axis->taps - 1 : 0;
  int64_t end = begin + (count - 1) * axis->stride + last * magnitude(axis->step) + 1;
  return (conv_range){begin < 0 ? 0 : begin, conv_minimum(end, axis->source)};
}

int64_t conv_tap_offset(const conv_plan *plan, const conv_layout *layout, int64_t row, int64_t column) {
  int64_t row_slot = distance(&plan->rows, row) / plan->rows.stride;
  int64_t column_slot = distance(&plan->columns, column) / plan->columns.stride;
  return row % period(&plan->rows) * layout->row_phase_step + row_slot * layout->row_step +
    column % period(&plan->columns) * layout->phase_step + column_slot * CONV_LINE;
}

static __mmask64 lanes_below(int64_t count) {
  return count <= 0 ? 0 : count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

/* Columns `column`, `column + stride`, ... of one source row; what lies outside the row is zero. */
typedef struct {
  const char *row;
  int64_t row_bytes, pixel_bytes, depth_bytes;
  int64_t column, stride, slots;
} column_run;

static void pack_border(const column_run *run, int64_t slot, int64_t line_step, char *to) {
  int64_t start = (run->column + slot * run->stride) * run->pixel_bytes;
  for (int64_t at = 0; at < run->depth_bytes; at += CONV_LINE, to += line_step) {
    int64_t byte = start + at;
    __mmask64 inside = lanes_below(run->row_bytes - byte) & ~lanes_below(-byte);
    __mmask64 mask = inside & lanes_below(run->depth_bytes - at);
    _mm512_store_si512(to, _mm512_maskz_loadu_epi8(mask, run->row + byte));
  }
}

static void pack_columns(const column_run *run, int64_t line_step, char *to) {
  int64_t inside = (run->row_bytes - run->depth_bytes) / run->pixel_bytes;
  int64_t begin = run->column < 0 ? conv_ceil(-run->column, run->stride) : 0;
  int64_t reach = inside < run->column ? 0 : (inside - run->column) / run->stride + 1;
  int64_t end = conv_minimum(run->slots, reach), whole = run->depth_bytes / CONV_LINE;
  __mmask64 rest = lanes_below(run->depth_bytes % CONV_LINE);
  begin = conv_minimum(begin, run->slots);
  if (run->row_bytes < run->depth_bytes || end < begin) end = begin;
  for (int64_t slot = 0; slot < begin; slot++)
    pack_border(run, slot, line_step, to + slot * CONV_LINE);
  for (int64_t slot = begin; slot < end; slot++) {
    const char *from = run->row + (run->column + slot * run->stride) * run->pixel_bytes;
    char *line = to + slot * CONV_LINE;
    for (int64_t at = 0; at < whole; at++, from += CONV_LINE, line += line_step)
      _mm512_store_si512(line, _mm512_loadu_si512(from));
    if (rest) _mm512_store_si512(line, _mm512_maskz_loadu_epi8(rest, from));
  }
  for (int64_t slot = end; slot < run->slots; slot++)
    pack_border(run, slot, line_step, to + slot * CONV_LINE);
}

void conv_pack_source(
  const conv_plan *plan, const conv_layout *layout, const conv_block *block, const char *source, char *packed
) {
  const conv_axis *rows = &plan->rows, *columns = &plan->columns;
  int64_t element = plan->is_bf16 ? 2 : 4;
  int64_t slots = layout->rows.slots - layout->height + block->height;
  column_run run = {
    .row_bytes = columns->source * plan->pixel * element,
    .pixel_bytes = plan->pixel * element,
    .depth_bytes = plan->depth * element,
    .stride = columns->stride,
    .slots = layout->columns.slots - layout->width + block->width
  };
  for (int64_t phase = 0; phase < layout->rows.phases; phase++) {
    int64_t row = block->row * rows->stride + layout->rows.lowest + distance(rows, phase) % rows->stride;
    for (int64_t slot = 0; slot < slots; slot++, row += rows->stride) {
      char *to = packed + phase * layout->row_phase_step + slot * layout->row_step;
      if (row < 0 || row >= rows->source) {
        memset(to, 0, (size_t)layout->row_step);
        continue;
      }
      run.row = source + (block->image * rows->source + row) * plan->row * element;
      for (int64_t c = 0; c < layout->columns.phases; c++) {
        run.column = block->column * run.stride + layout->columns.lowest + distance(columns, c) % run.stride;
        pack_columns(&run, layout->line_step, to + c * layout->phase_step);
      }
    }
  }
}

#endif
