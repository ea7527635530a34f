/*
 * Source memory of the next block, asked for while tiles of this one are computed: copying would wait for it
 * while the arithmetic units idle. A few lines with each entry, since many at once are as slow.
 */
#ifndef DISTILLERY_CONV_PREFETCH_H
#define DISTILLERY_CONV_PREFETCH_H

#include "conv-tile.h"

typedef struct {
  const char *at, *end;
  /* Lines to ask for with each entry of a tile. */
  int64_t lines;
} conv_prefetch;

/* From `begin` to `end`, in equal parts over `entries`. */
static inline conv_prefetch conv_prefetch_of(const char *begin, const char *end, int64_t entries) {
  return (conv_prefetch){begin, end, conv_ceil(conv_ceil(end - begin, CONV_LINE), entries)};
}

/* Gives the tile its share. */
static inline void conv_prefetch_by(conv_tile *tile, conv_prefetch *next) {
  int64_t bytes = tile->entry_count * next->lines * CONV_LINE;
  tile->ahead = next->at;
  tile->ahead_lines = next->at + bytes <= next->end ? next->lines : 0;
  next->at += bytes;
}

#endif
