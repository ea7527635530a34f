/*
 * The filter gradient is a product of matrices for each tap of the filter: input channels x output pixels
 * times output pixels x output channels. Both sides are first packed into lanes of 32 bits: one float32, or
 * two bf16 of the same pixel in two successive images, which is what vdpbf16ps multiplies and adds at once.
 * From there on the two element types differ in one instruction, and "image" means such a pair where the
 * type is bf16.
 */
#ifndef DISTILLERY_CONV_FILTER_GRADIENT_PARTS_H
#define DISTILLERY_CONV_FILTER_GRADIENT_PARTS_H

#include "kernels.h"

#define LANES 16

/*
 * How the taps of a filter's row are done. One by one, each over the output pixels whose input exists; or,
 * with few input channels, as additional rows of the matrix: in NHWC the inputs of one row of taps are
 * neighbours in memory. With few output channels they become additional columns in the same way: the
 * outputs that one input pixel reaches are neighbours, too, in reversed order.
 */
typedef enum { TAPS_SEPARATE, TAPS_AS_ROWS, TAPS_AS_COLUMNS } tap_order;

/*
 * How one shape is cut. The result is `taps` matrices of rows x columns. A task is one block of their rows
 * and columns, summed over one split of the chunks; a chunk is `chunk_images` whole images or `band` output
 * rows of one.
 */
typedef struct {
  window_shape shape;
  int is_bf16;
  tap_order order;
  int64_t taps, rows, columns, tile_rows;
  int64_t row_block, row_blocks, column_block, column_blocks;
  int64_t images, chunk_images, band, bands, chunks, splits;
} filter_gradient_plan;

filter_gradient_plan filter_gradient_plan_of(const window_shape *shape, int is_bf16);

/*
 * A tensor [batch, height, width, channels] and what of it to pack: `rows` rows from `row` on, every
 * `row_step`th, and pixels, images and channels likewise.
 */
typedef struct {
  const void *data;
  int is_bf16;
  int64_t batch, height, width, channels;
  int64_t image, images, row, rows, row_step, pixel, pixels, pixel_step, channel, channel_count;
} packed_part;

/*
 * Packs into panels of `panel_vectors` vectors of channels, [panel][image][row][pixel][lane], with 0 for
 * channels that the last vector lacks. Vectors that fill no panel of two widen the last one to three.
 */
void filter_gradient_pack_panels(const packed_part *part, int64_t panel_vectors, float *packed);

/*
 * Packs whole rows with all their channels: `left` zeros, the row, and zeros up to `row_lanes`, where it is
 * cut.
 */
void filter_gradient_pack_rows(const packed_part *part, int64_t left, int64_t row_lanes, float *packed);

/*
 * What a task works on at a time: images and output rows of one block of rows and columns. The sides are
 * packed with `x_pitch` lanes a pixel and `x_row_pixels` a row; successive outputs are `x_step` lanes
 * apart.
 */
typedef struct {
  const filter_gradient_plan *plan;
  int64_t image, images, out_row, out_rows, row, rows, column, columns;
  int64_t x_row, x_rows, x_row_step, x_pixel, x_pixels, x_pixel_step;
  int64_t x_pitch, x_row_pixels, x_step, dy_row_pixels;
} gradient_chunk;

gradient_chunk filter_gradient_chunk_of(const filter_gradient_plan *plan, int64_t index, int64_t row,
                                        int64_t column);
/* No chunk of the plan is larger in any respect. */
gradient_chunk filter_gradient_largest_chunk(const filter_gradient_plan *plan);
/* How many lanes its packed sides take. */
int64_t filter_gradient_x_lanes(const gradient_chunk *chunk);
int64_t filter_gradient_dy_lanes(const gradient_chunk *chunk);
packed_part filter_gradient_x_part(const gradient_chunk *chunk, const void *x);
packed_part filter_gradient_dy_part(const gradient_chunk *chunk, const void *dy);
void filter_gradient_pack_x(const gradient_chunk *chunk, const void *x, float *packed);
void filter_gradient_pack_dy(const gradient_chunk *chunk, const void *dy, float *packed);

/* Lists the blocks of memory that a part lies in, and says how many there are: at most `limit`. */
#define AHEAD_BYTES 128
int64_t filter_gradient_ahead_limit(const packed_part *part);
int64_t filter_gradient_list_ahead(const packed_part *part, const char **ahead);

/* Where a run of pixels begins in the packed sides, in pixels. */
typedef struct {
  int64_t x, dy;
} pixel_run;

/*
 * The runs of pixels, all of `*steps`, in which tap `tap` of the plan meets its inputs. Says how many there
 * are: at most the limit.
 */
int64_t filter_gradient_run_limit(const gradient_chunk *chunk);
int64_t filter_gradient_runs(const gradient_chunk *chunk, int64_t tap, pixel_run *runs, int64_t *steps);

/*
 * out[r][c] (+)= sum over `runs` of `steps` pixels each of x[r] * dy[c], for `rows` rows and whole vectors
 * of c.
 */
typedef struct {
  const float *x, *dy;
  int64_t x_pitch, dy_pitch, x_step, run_count, steps;
  const pixel_run *runs;
  float *out;
  int64_t out_pitch, rows;
  /* The lanes that exist in the last vector. */
  uint16_t last_lanes;
  int accumulate;
  /* Blocks of AHEAD_BYTES to fetch meanwhile, `ahead_per_run` of them with each run. */
  const char *const *ahead;
  int64_t ahead_count, ahead_per_run;
} gradient_tile;

/*
 * `tile_rows` is 7, 8 or 9 with up to 3 vectors, or 16 with one; rows from `tile->rows` on are left out of
 * the result.
 */
void filter_gradient_add_tile(const gradient_tile *tile, int64_t tile_rows, int64_t vectors, int is_bf16);

static inline int64_t at_most(int64_t value, int64_t limit) { return value < limit ? value : limit; }
static inline int64_t at_least(int64_t value, int64_t limit) { return value > limit ? value : limit; }
static inline int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }
static inline int64_t round_up(int64_t value, int64_t to) { return divide_up(value, to) * to; }

/* How many panels of two or three vectors there are, and how many vectors panel `index` has. */
static inline int64_t column_panels(int64_t vectors) { return at_least(vectors / 2, 1); }
static inline int64_t panel_width(int64_t vectors, int64_t index) {
  return index + 1 < column_panels(vectors) ? 2 : vectors - 2 * index;
}

#endif
