/* How a filter gradient is cut into tasks, chunks and tiles: from the shape alone. */
#include "conv-filter-gradient-parts.h"

/*
 * A packed chunk shares the second-level cache with what is fetched ahead, which is as much, and with a block
 * of sums. With several taps there is time to fetch, but beginning with each of them has its price.
 */
#define CHUNK_BYTES_OF_ONE_TAP (256 * 1024)
#define CHUNK_BYTES_OF_TAPS (512 * 1024)
/* Beyond this many pixels a chunk gains nothing: loading and storing the sums is forgotten. */
#define CHUNK_PIXELS 1024
/* Channels in a block: more taps share what was packed, so blocks may be smaller. */
#define BLOCK_OF_ONE_TAP 256
#define BLOCK_OF_TAPS 64
#define TASKS 16
/* A split adds a copy of the filter, which pays from this many pixels on. */
#define SPLIT_PIXELS 512

static tap_order order_of(const window_shape *s) {
  const int neighbours = s->filter_width > 1 && s->dilation_width == 1;
  if (neighbours && s->inputs < 8) return TAPS_AS_ROWS;
  const int64_t right =
      (s->out_width - 1) * s->stride_width + s->filter_width - s->pad_left - s->width;
  const int inside = s->pad_left < s->filter_width && right < s->filter_width;
  if (neighbours && s->stride_width == 1 && s->outputs <= LANES && inside) return TAPS_AS_COLUMNS;
  return TAPS_SEPARATE;
}

/* The size of tile that leaves the fewest rows empty. */
static int64_t tile_rows_of(const filter_gradient_plan *plan) {
  if (plan->order != TAPS_AS_ROWS) return plan->columns <= LANES && plan->rows > 8 ? 16 : 8;
  int64_t best = 8;
  for (int64_t rows = 7; rows <= 9; rows += 2) {
    if (round_up(plan->rows, rows) < round_up(plan->rows, best)) best = rows;
  }
  return best;
}

static void cut_blocks(filter_gradient_plan *plan) {
  const int64_t block = plan->taps == 1 ? BLOCK_OF_ONE_TAP : BLOCK_OF_TAPS;
  const int64_t row_blocks = plan->order == TAPS_AS_ROWS ? 1 : divide_up(plan->rows, block);
  const int64_t column_blocks = plan->order == TAPS_AS_COLUMNS ? 1 : divide_up(plan->columns, block);
  plan->row_block = round_up(divide_up(plan->rows, row_blocks), LANES);
  plan->column_block = round_up(divide_up(plan->columns, column_blocks), LANES);
  plan->row_blocks = divide_up(plan->rows, plan->row_block);
  plan->column_blocks = divide_up(plan->columns, plan->column_block);
}

/* Lanes packed for one output pixel. */
static int64_t lanes_a_pixel(const filter_gradient_plan *plan) {
  const window_shape *s = &plan->shape;
  const int64_t down = s->filter_height > 1 ? s->stride_height : 1;
  const int64_t across = s->filter_width > 1 ? s->stride_width : 1;
  const int64_t columns = plan->order == TAPS_AS_COLUMNS ? s->outputs : plan->column_block;
  const int64_t rows = plan->order == TAPS_AS_ROWS ? s->inputs : plan->row_block;
  return down * across * rows + columns;
}

static void cut_chunks(filter_gradient_plan *plan) {
  const window_shape *s = &plan->shape;
  const int64_t pixels = s->out_height * s->out_width;
  const int64_t blocks = plan->row_blocks * plan->column_blocks;
  const int64_t splits = at_most(divide_up(TASKS, blocks), at_least(plan->images * pixels / SPLIT_PIXELS, 1));
  const int64_t bytes = plan->taps > 1 ? CHUNK_BYTES_OF_TAPS : CHUNK_BYTES_OF_ONE_TAP;
  const int64_t most = at_most(bytes / 4 / lanes_a_pixel(plan), CHUNK_PIXELS);
  plan->chunk_images = at_least(at_most(most / pixels, divide_up(plan->images, splits)), 1);
  plan->bands = pixels <= most ? 1 : divide_up(s->out_height, at_least(most / s->out_width, 1));
  plan->band = divide_up(s->out_height, plan->bands);
  plan->bands = divide_up(s->out_height, plan->band);
  plan->chunks = divide_up(plan->images, plan->chunk_images) * plan->bands;
  plan->splits = at_most(splits, plan->chunks);
}

filter_gradient_plan filter_gradient_plan_of(const window_shape *shape, int is_bf16) {
  filter_gradient_plan plan = {.shape = *shape, .is_bf16 = is_bf16, .order = order_of(shape)};
  const int64_t width = shape->filter_width;
  plan.taps = shape->filter_height * (plan.order == TAPS_SEPARATE ? width : 1);
  plan.rows = shape->inputs * (plan.order == TAPS_AS_ROWS ? width : 1);
  plan.columns = shape->outputs * (plan.order == TAPS_AS_COLUMNS ? width : 1);
  plan.images = is_bf16 ? divide_up(shape->batch, 2) : shape->batch;
  plan.tile_rows = tile_rows_of(&plan);
  cut_blocks(&plan);
  cut_chunks(&plan);
  return plan;
}
