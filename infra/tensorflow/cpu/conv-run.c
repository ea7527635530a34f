/* Cuts the output grid into blocks, one task each, and blocks into tiles. */
#include "conv-source.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "conv-tile.h"

typedef void (*tile_kernel)(const conv_tile *tile);

#define TILE(type, is_bf16, vectors, rows, width) \
  static void type##_##vectors##x##rows##x##width(const conv_tile *tile) { \
    conv_tile_sums(tile, rows, width, vectors, is_bf16); \
  }
#define SEVEN(of, ...) \
  of(__VA_ARGS__, 1) of(__VA_ARGS__, 2) of(__VA_ARGS__, 3) of(__VA_ARGS__, 4) of(__VA_ARGS__, 5) \
  of(__VA_ARGS__, 6) of(__VA_ARGS__, 7)
#define FOURTEEN(of, ...) \
  SEVEN(of, __VA_ARGS__) of(__VA_ARGS__, 8) of(__VA_ARGS__, 9) of(__VA_ARGS__, 10) of(__VA_ARGS__, 11) \
  of(__VA_ARGS__, 12) of(__VA_ARGS__, 13) of(__VA_ARGS__, 14)
#define TILES(type, is_bf16) \
  FOURTEEN(TILE, type, is_bf16, 1, 1) \
  FOURTEEN(TILE, type, is_bf16, 1, 2) \
  FOURTEEN(TILE, type, is_bf16, 2, 1) \
  SEVEN(TILE, type, is_bf16, 2, 2)
TILES(f32, 0)
TILES(bf16, 1)

/* By type, vectors, rows and width; two vectors of two rows have place for seven columns. */
#define NAME(type, vectors, rows, width) type##_##vectors##x##rows##x##width,
#define TABLE(type) \
  {{{FOURTEEN(NAME, type, 1, 1)}, {FOURTEEN(NAME, type, 1, 2)}}, \
   {{FOURTEEN(NAME, type, 2, 1)}, {SEVEN(NAME, type, 2, 2)}}}
static const tile_kernel kernels[2][2][2][14] = {TABLE(f32), TABLE(bf16)};

typedef struct {
  const conv_plan *plan;
  conv_layout layout;
  int64_t block_rows, block_columns;
  const conv_entry *entries;
  int64_t entry_count;
  const char *source, *filter;
  char *out;
} conv_job;

/* One panel of output channels for all pixels of a block. */
static void run_panel(const conv_job *job, const conv_block *block, const char *packed, int64_t panel) {
  const conv_plan *plan = job->plan;
  int64_t left = conv_minimum(plan->outputs - panel, CONV_PANEL), vectors = left > 16 ? 2 : 1;
  int64_t words = plan->rows.taps * plan->columns.taps * conv_words(plan);
  int64_t pairs = vectors > 1 ? 7 : 14, last = left - 16 * (vectors - 1);
  int64_t width = conv_ceil(block->width, conv_ceil(block->width, 14)), element = plan->is_bf16 ? 2 : 4;
  int64_t at = block->image * plan->out_image + block->row * plan->out_row + block->column * plan->out_pixel;
  conv_tile tile = {
    .entries = job->entries,
    .entry_count = job->entry_count,
    .filter = job->filter + panel / 16 * words * CONV_LINE,
    .source_row = job->layout.row_step,
    .out_row = plan->out_row,
    .out_pixel = plan->out_pixel,
    .mask = (__mmask16)((1 << last) - 1)
  };
  for (int64_t row = 0, rows; row < block->height; row += rows) {
    rows = width <= pairs && row + 1 < block->height ? 2 : 1;
    for (int64_t column = 0; column < block->width; column += width) {
      int64_t wide = conv_minimum(width, block->width - column);
      tile.source = packed + row * job->layout.row_step + column * CONV_LINE;
      tile.out = job->out + (at + panel + row * plan->out_row + column * plan->out_pixel) * element;
      kernels[plan->is_bf16][vectors - 1][rows - 1][wide - 1](&tile);
    }
  }
}

static void run_block(void *context, int64_t index, int thread) {
  const conv_job *job = context;
  const conv_plan *plan = job->plan;
  conv_block block = {
    .image = index / job->block_columns / job->block_rows,
    .row = index / job->block_columns % job->block_rows * job->layout.height,
    .column = index % job->block_columns * job->layout.width
  };
  char *packed = thread_scratch(thread, conv_layout_size(&job->layout));
  block.height = conv_minimum(job->layout.height, plan->rows.outputs - block.row);
  block.width = conv_minimum(job->layout.width, plan->columns.outputs - block.column);
  conv_pack_source(plan, &job->layout, &block, job->source, packed);
  for (int64_t panel = 0; panel < plan->outputs; panel += CONV_PANEL) run_panel(job, &block, packed, panel);
}

/* Bytes of packed source that leave place for a panel of the filter in a core's second cache. */
#define BLOCK_BYTES (256 << 10)

/* Cuts `total` into the fewest parts of at most about `limit`, of one size, a multiple of `unit`. */
static int64_t part(int64_t total, int64_t limit, int64_t unit) {
  int64_t size = conv_ceil(total, conv_ceil(total, limit < 1 ? 1 : limit));
  return conv_minimum(conv_ceil(size, unit) * unit, total);
}

static conv_layout choose_layout(const conv_plan *plan) {
  conv_layout one = conv_layout_of(plan, 1, plan->columns.outputs);
  int64_t row_bytes = one.row_step * plan->rows.stride;
  int64_t column_bytes = one.rows.phases * one.row_phase_step / plan->columns.outputs;
  int64_t width = plan->columns.outputs, height;
  if (column_bytes * width > BLOCK_BYTES) width = part(width, BLOCK_BYTES / (column_bytes + 1), 14);
  height = row_bytes > 0 ? part(plan->rows.outputs, BLOCK_BYTES / row_bytes, 2) : plan->rows.outputs;
  if (width < plan->columns.outputs) height = 1;
  return conv_layout_of(plan, height, width);
}

static int64_t fill_entries(const conv_plan *plan, const conv_layout *layout, conv_entry *entries) {
  int64_t count = 0, words = conv_words(plan);
  for (int64_t row = 0; row < plan->rows.taps; row++) {
    for (int64_t column = 0; column < plan->columns.taps; column++) {
      int64_t offset = conv_tap_offset(plan, layout, row, column);
      for (int64_t word = 0; word < words; word += CONV_WORDS, offset += layout->line_step) {
        int64_t left = conv_minimum(CONV_WORDS, words - word);
        entries[count++] = (conv_entry){(int32_t)offset, (int32_t)left};
      }
    }
  }
  return count;
}

void conv_run(const conv_plan *plan, const conv_filter *filter, const void *source, void *out) {
  conv_layout layout = choose_layout(plan);
  int64_t lines = plan->rows.taps * plan->columns.taps * conv_lines(plan);
  conv_entry *entries = shared_scratch(0, (size_t)(lines + 1) * sizeof(conv_entry));
  char *packed = shared_scratch(1, conv_packed_size(plan) + CONV_LINE);
  conv_job job = {
    .plan = plan,
    .layout = layout,
    .block_rows = conv_ceil(plan->rows.outputs, layout.height),
    .block_columns = conv_ceil(plan->columns.outputs, layout.width),
    .entries = entries,
    .entry_count = fill_entries(plan, &layout, entries),
    .source = source,
    .filter = packed,
    .out = out
  };
  conv_pack_filter(plan, filter, packed);
  parallel_run(plan->batch * job.block_rows * job.block_columns, run_block, &job);
}

#endif
