/* Source pixels, copied into the lines that tiles read. */
#include "conv-source.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

static __mmask64 lanes_below(int64_t count) {
  return count <= 0 ? 0 : count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

/* Columns `column`, `column + stride`, ... of one source row; what lies outside the row is zero. */
typedef struct {
  const char *row;
  int64_t row_bytes, pixel_bytes, depth_bytes;
  int64_t column, stride, slots;
  /* Bytes between columns and between lines where they go. */
  int64_t column_step, line_step;
} column_run;

static void pack_border(const column_run *run, int64_t slot, char *to) {
  int64_t start = (run->column + slot * run->stride) * run->pixel_bytes;
  for (int64_t at = 0; at < run->depth_bytes; at += CONV_LINE, to += run->line_step) {
    int64_t byte = start + at;
    __mmask64 inside = lanes_below(run->row_bytes - byte) & ~lanes_below(-byte);
    __mmask64 mask = inside & lanes_below(run->depth_bytes - at);
    _mm512_store_si512(to, _mm512_maskz_loadu_epi8(mask, run->row + byte));
  }
}

static void pack_columns(const column_run *run, char *to) {
  int64_t inside = (run->row_bytes - run->depth_bytes) / run->pixel_bytes;
  int64_t begin = run->column < 0 ? conv_ceil(-run->column, run->stride) : 0;
  int64_t reach = inside < run->column ? 0 : (inside - run->column) / run->stride + 1;
  int64_t end = conv_minimum(run->slots, reach), whole = run->depth_bytes / CONV_LINE;
  __mmask64 rest = lanes_below(run->depth_bytes % CONV_LINE);
  begin = conv_minimum(begin, run->slots);
  if (run->row_bytes < run->depth_bytes || end < begin) end = begin;
  for (int64_t slot = 0; slot < begin; slot++)
    pack_border(run, slot, to + slot * run->column_step);
  for (int64_t slot = begin; slot < end; slot++) {
    const char *from = run->row + (run->column + slot * run->stride) * run->pixel_bytes;
    char *line = to + slot * run->column_step;
    for (int64_t at = 0; at < whole; at++, from += CONV_LINE, line += run->line_step)
      _mm512_store_si512(line, _mm512_loadu_si512(from));
    if (rest) _mm512_store_si512(line, _mm512_maskz_loadu_epi8(rest, from));
  }
  for (int64_t slot = end; slot < run->slots; slot++)
    pack_border(run, slot, to + slot * run->column_step);
}

/* The rows of one image. */
static void pack_image(
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
    .slots = layout->columns.slots - layout->width + block->width,
    .column_step = layout->column_step,
    .line_step = layout->line_step
  };
  for (int64_t phase = 0; phase < layout->rows.phases; phase++) {
    int64_t first = layout->rows.lowest + conv_tap_distance(rows, phase) % rows->stride;
    for (int64_t slot = 0; slot < slots; slot++) {
      int64_t row = (block->row + slot) * rows->stride + first;
      char *to = packed + phase * layout->row_phase_step + slot * layout->row_step;
      /* Without pixels a row is all border, and zero. */
      int inside = row >= 0 && row < rows->source;
      run.row = inside ? source + row * plan->row * element : source;
      run.row_bytes = inside ? columns->source * plan->pixel * element : 0;
      for (int64_t c = 0; c < layout->columns.phases; c++) {
        int64_t from = layout->columns.lowest + conv_tap_distance(columns, c) % run.stride;
        run.column = block->column * run.stride + from;
        pack_columns(&run, to + c * layout->phase_step);
      }
    }
  }
}

void conv_pack_source(
  const conv_plan *plan, const conv_layout *layout, const conv_block *block, const char *source, char *packed
) {
  int64_t image_bytes = plan->rows.source * plan->row * (plan->is_bf16 ? 2 : 4);
  for (int64_t i = 0; i < block->images; i++)
    pack_image(plan, layout, block, source + (block->image + i) * image_bytes, packed + i * CONV_LINE);
}

#endif
