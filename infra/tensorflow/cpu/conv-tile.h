/* The innermost loop: a tile of output pixels by one or two vectors of output channels. */
#ifndef DISTILLERY_CONV_TILE_H
#define DISTILLERY_CONV_TILE_H

#include "conv-plan.h"

/* Most columns of a tile, and most of one that takes two rows at once, by its vectors. */
#define CONV_TILE_WIDTH 14
static inline int64_t conv_pair_width(int64_t vectors) { return vectors > 1 ? 7 : 14; }
/* The width of the fewest tiles that cover `columns`, all but the last of one width. */
static inline int64_t conv_tile_width(int64_t columns) {
  return conv_ceil(columns, conv_ceil(columns, CONV_TILE_WIDTH));
}

/* What a tile is computed from: its first source pixel, its panel of the filter, and where it goes. */
typedef struct {
  const conv_entry *entries;
  int64_t entry_count;
  const char *source, *filter;
  /* Bytes from the first row's source to the second's, and output elements between rows and pixels. */
  int64_t source_row, out_row, out_pixel;
  void *out;
  /* Of this panel and tile, or NULL. */
  const channel_finish *finish;
  /* Output channels of the last vector, a bit each; whether sums go past the caches, by whole vectors. */
  uint16_t mask;
  int streamed;
  /* Memory that will be read soon: so many lines of it are asked for with each entry. */
  const char *ahead;
  int64_t ahead_lines;
} conv_tile;

/* `rows` (1 or 2) rows of `width` pixels by `vectors` (1 or 2) of 16 channels. */
void conv_compute_tile(const conv_tile *tile, int64_t rows, int64_t width, int64_t vectors, int is_bf16);

#endif
