/* Cuts the output grid into blocks, and blocks into tiles. */
#include "conv-prefetch.h"
#include "conv-source.h"
#include "conv-tile.h"
#include "conv-winograd.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

typedef struct {
  const conv_plan *plan;
  conv_layout layout;
  int64_t block_rows, block_columns, blocks, blocks_of_task;
  int64_t outputs_of_task;
  const conv_entry *entries;
  int64_t entry_count;
  const char *source, *filter;
  char *out;
} conv_job;

static int64_t element_of(const conv_plan *plan) { return plan->is_bf16 ? 2 : 4; }

/* One panel of output channels for all pixels of a block. */
static void run_panel(
  const conv_job *job, const conv_block *block, const char *packed, int64_t panel, conv_prefetch *next
) {
  const conv_plan *plan = job->plan;
  int64_t left = conv_minimum(plan->outputs - panel, CONV_PANEL), vectors = left > 16 ? 2 : 1;
  int64_t words = plan->rows.taps * plan->columns.taps * conv_words(plan);
  int64_t last = left - 16 * (vectors - 1), width = conv_tile_width(block->width);
  int64_t at = block->image * plan->out_image + block->row * plan->out_row + block->column * plan->out_pixel;
  conv_tile tile = {
    .entries = job->entries,
    .entry_count = job->entry_count,
    .filter = job->filter + panel / 16 * words * CONV_LINE,
    .source_row = job->layout.row_step,
    .out_row = plan->out_row,
    .out_pixel = plan->out_pixel,
    .mask = (uint16_t)((1 << last) - 1)
  };
  for (int64_t row = 0, rows; row < block->height; row += rows) {
    rows = width <= conv_pair_width(vectors) && row + 1 < block->height ? 2 : 1;
    for (int64_t column = 0; column < block->width; column += width) {
      int64_t to = at + panel + row * plan->out_row + column * plan->out_pixel;
      tile.source = packed + row * job->layout.row_step + column * CONV_LINE;
      tile.out = job->out + to * element_of(plan);
      conv_prefetch_by(&tile, next);
      conv_compute_tile(&tile, rows, conv_minimum(width, block->width - column), vectors, plan->is_bf16);
    }
  }
}

static conv_block block_at(const conv_job *job, int64_t index) {
  const conv_plan *plan = job->plan;
  conv_block block = {
    .image = index / job->block_columns / job->block_rows,
    .row = index / job->block_columns % job->block_rows * job->layout.height,
    .column = index % job->block_columns * job->layout.width
  };
  block.height = conv_minimum(job->layout.height, plan->rows.outputs - block.row);
  block.width = conv_minimum(job->layout.width, plan->columns.outputs - block.column);
  return block;
}

/* What the block at `index` reads, as far as it is one piece of memory; nothing of blocks after `last`. */
static conv_prefetch prefetch_of(const conv_job *job, int64_t index, int64_t last, int64_t steps) {
  const conv_plan *plan = job->plan;
  if (index > last || steps == 0) return (conv_prefetch){0};
  conv_block block = block_at(job, index);
  conv_range rows = conv_source_range(&plan->rows, &job->layout.rows, block.row, block.height);
  conv_range columns = conv_source_range(&plan->columns, &job->layout.columns, block.column, block.width);
  if (rows.end - rows.begin > 1) columns = (conv_range){0, plan->columns.source};
  if (rows.end <= rows.begin || columns.end <= columns.begin) return (conv_prefetch){0};
  int64_t image = block.image * plan->rows.source * plan->row;
  int64_t begin = image + rows.begin * plan->row + columns.begin * plan->pixel;
  int64_t end = image + (rows.end - 1) * plan->row + columns.end * plan->pixel;
  int64_t element = element_of(plan);
  return conv_prefetch_of(job->source + begin * element, job->source + end * element, steps);
}

static void run_blocks(void *context, int64_t index, int thread) {
  const conv_job *job = context;
  const conv_plan *plan = job->plan;
  char *packed = thread_scratch(thread, conv_layout_size(&job->layout));
  int64_t tasks = conv_ceil(job->blocks, job->blocks_of_task);
  int64_t first = index % tasks * job->blocks_of_task, channel = index / tasks * job->outputs_of_task;
  int64_t last = conv_minimum(first + job->blocks_of_task, job->blocks) - 1;
  int64_t end_channel = conv_minimum(channel + job->outputs_of_task, plan->outputs);
  for (int64_t at = first; at <= last; at++) {
    conv_block block = block_at(job, at);
    int64_t tiles = block.height * conv_ceil(block.width, CONV_TILE_WIDTH);
    int64_t panels = conv_ceil(end_channel - channel, CONV_PANEL);
    conv_prefetch next = prefetch_of(job, at + 1, last, tiles * panels * job->entry_count);
    conv_pack_source(plan, &job->layout, &block, job->source, packed);
    for (int64_t panel = channel; panel < end_channel; panel += CONV_PANEL)
      run_panel(job, &block, packed, panel, &next);
  }
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

static conv_layout choose_layout(const conv_plan *plan) {
  conv_layout one = conv_layout_of(plan, 1, plan->columns.outputs);
  int64_t row_bytes = one.row_step * plan->rows.stride;
  int64_t column_bytes = one.rows.phases * one.row_phase_step / plan->columns.outputs;
  int64_t limit = plan->rows.taps * plan->columns.taps == 1 ? POINT_BYTES : BLOCK_BYTES;
  int64_t width = plan->columns.outputs, height;
  if (column_bytes * width > limit) width = part(width, limit / (column_bytes + 1), CONV_TILE_WIDTH);
  height = row_bytes > 0 ? part(plan->rows.outputs, limit / row_bytes, 2) : plan->rows.outputs;
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
  if (conv_winograd_suits(plan)) {
    conv_winograd_run(plan, filter, source, out);
    return;
  }
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
  job.blocks = plan->batch * job.block_rows * job.block_columns;
  job.blocks_of_task = conv_ceil(job.blocks, CONV_TASKS);
  job.outputs_of_task = conv_outputs_of_task(plan, job.blocks);
  conv_pack_filter(plan, filter, packed);
  int64_t parts = conv_ceil(plan->outputs, job.outputs_of_task);
  parallel_run(conv_ceil(job.blocks, job.blocks_of_task) * parts, run_blocks, &job);
}

#endif
