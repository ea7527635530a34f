/* Cuts the output grid into blocks, and blocks into tiles. */
#include "conv.h"
#include "conv-prefetch.h"
#include "conv-source.h"
#include "conv-tile.h"
#include "conv-winograd.h"
#include "lanes.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

/* Beside the offsets and the filter in the first two. */
enum { SLOT_MADE = 7 };

typedef struct {
  const conv_plan *plan;
  conv_layout layout;
  int64_t block_rows, block_columns, blocks, blocks_of_task;
  int64_t outputs_of_task;
  /* Of each tap: bytes from an output pixel's place to what it reads. */
  const int64_t *offsets;
  const char *source, *filter;
  char *out;
  /* All blocks one after another, or NULL: each is made, or copied, by whoever computes with it. */
  char *made;
  /* Whether results go past the caches. */
  int streamed;
} conv_job;

/* The entries for a range of taps; they stand until another range is asked for. */
typedef struct {
  conv_range rows, columns;
  conv_entry *entries;
  int64_t count;
} conv_taps;

static int64_t element_of(const conv_plan *plan) { return plan->is_bf16 ? 2 : 4; }

static int64_t taps_of(const conv_plan *plan) { return plan->rows.taps * plan->columns.taps; }

static void choose_taps(const conv_job *job, conv_taps *taps, conv_range rows, conv_range columns) {
  const conv_plan *plan = job->plan;
  int64_t words = conv_words(plan);
  if (rows.begin == taps->rows.begin && rows.end == taps->rows.end && columns.begin == taps->columns.begin &&
    columns.end == taps->columns.end) return;
  taps->rows = rows;
  taps->columns = columns;
  taps->count = 0;
  for (int64_t row = rows.begin; row < rows.end; row++) {
    for (int64_t column = columns.begin; column < columns.end; column++) {
      int64_t tap = row * plan->columns.taps + column;
      int64_t offset = job->offsets[tap], filter = tap * words * CONV_LINE;
      for (int64_t word = 0; word < words; word += CONV_WORDS, offset += job->layout.line_step) {
        int64_t count = conv_minimum(CONV_WORDS, words - word);
        taps->entries[taps->count++] = (conv_entry){offset, count, filter + word * CONV_LINE};
      }
    }
  }
}

/* Taps within the image for any of `count` rows. */
static conv_range rows_inside(const conv_axis *rows, int64_t row, int64_t count) {
  if (rows->taps == 1) return (conv_range){0, 1};
  conv_range taps = conv_taps_inside(rows, row), last = conv_taps_inside(rows, row + count - 1);
  if (last.begin == last.end) return taps;
  if (taps.begin == taps.end) return last;
  return (conv_range){conv_minimum(taps.begin, last.begin), taps.end > last.end ? taps.end : last.end};
}

/* One panel of output channels for all pixels of a block. */
static void run_panel(
  const conv_job *job, const conv_block *block, const char *packed, int64_t panel, conv_taps *taps,
  conv_prefetch *next
) {
  const conv_plan *plan = job->plan;
  const conv_layout *layout = &job->layout;
  int64_t left = conv_minimum(plan->outputs - panel, CONV_PANEL), vectors = left > 16 ? 2 : 1;
  int64_t last = left - 16 * (vectors - 1), by_images = layout->images > 1;
  int64_t width = by_images ? 1 : conv_tile_width(block->width);
  int64_t at = block->image * plan->out_image + block->row * plan->out_row + block->column * plan->out_pixel;
  channel_finish finish = conv_finish_of(plan, panel);
  conv_tile tile = {
    .entries = taps->entries,
    .filter = job->filter + panel / 16 * taps_of(plan) * conv_words(plan) * CONV_LINE,
    .source_row = layout->row_step,
    .out_row = plan->out_row,
    .out_pixel = by_images ? plan->out_image : plan->out_pixel,
    .finish = plan->finish == NULL ? NULL : &finish,
    .mask = (uint16_t)((1 << last) - 1),
    .streamed = job->streamed
  };
  for (int64_t row = 0, rows; row < block->height; row += rows) {
    rows = !by_images && width <= conv_pair_width(vectors) && row + 1 < block->height ? 2 : 1;
    conv_range row_taps = rows_inside(&plan->rows, block->row + row, rows);
    choose_taps(job, taps, row_taps, (conv_range){0, plan->columns.taps});
    for (int64_t column = 0; column < block->width; column += width) {
      int64_t to = at + panel + row * plan->out_row + column * plan->out_pixel;
      if (by_images) choose_taps(job, taps, row_taps, conv_taps_inside(&plan->columns, column));
      tile.entry_count = taps->count;
      tile.source = packed + row * layout->row_step + column * layout->column_step;
      tile.out = job->out + to * element_of(plan);
      finish.residual = conv_residual_at(plan, to);
      conv_prefetch_by(&tile, next);
      int64_t wide = by_images ? block->images : conv_minimum(width, block->width - column);
      conv_compute_tile(&tile, rows, wide, vectors, plan->is_bf16);
    }
  }
}

static conv_block block_at(const conv_job *job, int64_t index) {
  const conv_plan *plan = job->plan;
  conv_block block = {
    .image = index / job->block_columns / job->block_rows * job->layout.images,
    .row = index / job->block_columns % job->block_rows * job->layout.height,
    .column = index % job->block_columns * job->layout.width
  };
  block.images = conv_minimum(job->layout.images, plan->batch - block.image);
  block.height = conv_minimum(job->layout.height, plan->rows.outputs - block.row);
  block.width = conv_minimum(job->layout.width, plan->columns.outputs - block.column);
  return block;
}

/* What a block reads, if that is one piece of memory. */
static conv_memory memory_of(const conv_job *job, const conv_block *block) {
  const conv_plan *plan = job->plan;
  if (plan->maker != NULL) return plan->maker->reads(plan->maker->context, block->column, block->width);
  conv_range rows = conv_source_range(&plan->rows, &job->layout.rows, block->row, block->height);
  conv_range columns = conv_source_range(&plan->columns, &job->layout.columns, block->column, block->width);
  if (rows.end - rows.begin > 1) columns = (conv_range){0, plan->columns.source};
  if (rows.end <= rows.begin || columns.end <= columns.begin) return (conv_memory){0};
  if (block->images > 1 && block->height < plan->rows.outputs) return (conv_memory){0};
  int64_t first = block->image * plan->rows.source + rows.begin;
  int64_t final = (block->image + block->images - 1) * plan->rows.source + rows.end - 1;
  return (conv_memory){
    job->source + (first * plan->row + columns.begin * plan->pixel) * element_of(plan),
    job->source + (final * plan->row + columns.end * plan->pixel) * element_of(plan)
  };
}

/* The memory of the block at `index`; nothing of blocks after `last`. */
static conv_prefetch prefetch_of(const conv_job *job, int64_t index, int64_t last, int64_t entries) {
  if (index > last || entries == 0) return (conv_prefetch){0};
  conv_block block = block_at(job, index);
  conv_memory memory = memory_of(job, &block);
  if (memory.end <= memory.begin) return (conv_prefetch){0};
  return conv_prefetch_of(memory.begin, memory.end, entries);
}

static int64_t tiles_of(const conv_job *job, const conv_block *block) {
  int64_t across = job->layout.images > 1 ? block->width : conv_ceil(block->width, CONV_TILE_WIDTH);
  return block->height * across * conv_ceil(job->outputs_of_task, CONV_PANEL);
}

static void take_source(const conv_job *job, const conv_block *block, char *packed) {
  const conv_maker *maker = job->plan->maker;
  if (maker == NULL) conv_pack_source(job->plan, &job->layout, block, job->source, packed);
  else maker->make(maker->context, block->column, block->width, packed, job->layout.line_step);
}

/* One unit of the blocks that are made before all else. */
static void make_unit(void *context, int64_t index, int thread) {
  const conv_job *job = context;
  const conv_maker *maker = job->plan->maker;
  const conv_layout *layout = &job->layout;
  int64_t column = index * maker->unit, block = column / layout->width;
  char *to = job->made + block * (int64_t)conv_layout_size(layout);
  (void)thread;
  to += column % layout->width * layout->column_step;
  maker->make(maker->context, column, maker->unit, to, layout->line_step);
}

static void run_blocks(void *context, int64_t index, int thread) {
  const conv_job *job = context;
  const conv_plan *plan = job->plan;
  int64_t tasks = conv_ceil(job->blocks, job->blocks_of_task);
  int64_t first = index % tasks * job->blocks_of_task, channel = index / tasks * job->outputs_of_task;
  int64_t last = conv_minimum(first + job->blocks_of_task, job->blocks) - 1;
  int64_t end_channel = conv_minimum(channel + job->outputs_of_task, plan->outputs);
  int64_t entries = taps_of(plan) * conv_lines(plan);
  size_t size = conv_layout_size(&job->layout);
  char *scratch = thread_scratch(thread, size + (size_t)entries * sizeof(conv_entry));
  conv_taps taps = {.rows = {-1, -1}, .entries = (conv_entry *)(scratch + size)};
  for (int64_t at = first; at <= last; at++) {
    conv_block block = block_at(job, at);
    conv_prefetch next = prefetch_of(job, at + 1, last, tiles_of(job, &block) * entries);
    char *packed = job->made == NULL ? scratch : job->made + at * (int64_t)size;
    if (job->made == NULL) take_source(job, &block, packed);
    for (int64_t panel = channel; panel < end_channel; panel += CONV_PANEL)
      run_panel(job, &block, packed, panel, &taps, &next);
  }
  if (job->streamed) streamed();
}

/* Whether results are better written past the caches, and can be: by whole panels. */
static int worth_streaming(const conv_plan *plan, const void *out) {
  int64_t pixels = plan->batch * plan->rows.outputs * plan->columns.outputs;
  if (pixels * plan->outputs * element_of(plan) < STREAMED_BYTES) return 0;
  return plan->outputs % CONV_PANEL == 0 && plan->out_pixel % CONV_PANEL == 0 &&
    (uintptr_t)out % CONV_LINE == 0;
}

void conv_run(const conv_plan *plan, const conv_filter *filter, const void *source, void *out) {
  if (conv_winograd_suits(plan)) {
    conv_winograd_run(plan, filter, source, out);
    return;
  }
  int64_t *offsets = shared_scratch(0, (size_t)taps_of(plan) * sizeof(int64_t) + CONV_LINE);
  int is_packed;
  size_t size = conv_packed_size(plan) + CONV_LINE;
  char *packed = filter_memory(filter->kept, filter->values, 1, size, &is_packed);
  conv_job job = {
    .plan = plan,
    .layout = conv_choose_layout(plan),
    .offsets = offsets,
    .source = source,
    .filter = packed,
    .out = out
  };
  job.streamed = worth_streaming(plan, out);
  job.block_rows = conv_ceil(plan->rows.outputs, job.layout.height);
  job.block_columns = conv_ceil(plan->columns.outputs, job.layout.width);
  job.blocks = conv_ceil(plan->batch, job.layout.images) * job.block_rows * job.block_columns;
  job.blocks_of_task = conv_ceil(job.blocks, CONV_TASKS);
  job.outputs_of_task = conv_outputs_of_task(plan, job.blocks);
  for (int64_t tap = 0; tap < taps_of(plan); tap++)
    offsets[tap] = conv_tap_offset(plan, &job.layout, tap / plan->columns.taps, tap % plan->columns.taps);
  if (!is_packed) conv_pack_filter(plan, filter, packed);
  int64_t parts = conv_ceil(plan->outputs, job.outputs_of_task);
  if (plan->maker != NULL && parts > 1) {
    job.made = shared_scratch(SLOT_MADE, (size_t)job.blocks * conv_layout_size(&job.layout));
    parallel_run(plan->columns.outputs / plan->maker->unit, make_unit, &job);
  }
  parallel_run(conv_ceil(job.blocks, job.blocks_of_task) * parts, run_blocks, &job);
}

/* Both passes are taken wherever the vectors are that tiles are made of. */
static int has_vectors(int is_bf16) {
#if defined(__AVX512BF16__)
  (void)is_bf16;
  return 1;
#else
  return !is_bf16;
#endif
}

#else

static int has_vectors(int is_bf16) {
  (void)is_bf16;
  return 0;
}

/* Never called where nothing is supported. */
void conv_run(const conv_plan *plan, const conv_filter *filter, const void *source, void *out) {
  (void)plan, (void)filter, (void)source, (void)out;
}

#endif

int conv_forward_supported(const window_shape *shape, int is_bf16) {
  (void)shape;
  return has_vectors(is_bf16);
}

int conv_input_gradient_supported(const window_shape *shape, int is_bf16) {
  (void)shape;
  return has_vectors(is_bf16);
}
