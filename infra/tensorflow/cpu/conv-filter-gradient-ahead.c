/* What a task packs next is fetched while it computes: packing waits for memory, tiles for arithmetic. */
#include "conv-filter-gradient-parts.h"

/* How many pieces of neighbouring bytes a part consists of, and how long they are. */
typedef struct {
  int64_t rows, pieces, bytes;
} part_pieces;

static part_pieces pieces_of(const packed_part *part) {
  const int64_t size = part->is_bf16 ? 2 : 4;
  const int neighbours = part->channel_count == part->channels && part->pixel_step == 1;
  const int64_t pieces = neighbours ? 1 : part->pixels;
  return (part_pieces){part->rows, pieces, part->channel_count * size * (neighbours ? part->pixels : 1)};
}

/* The images that a part touches in the tensor: pairs are two, the last may lack its second. */
static int64_t images_of(const packed_part *part) {
  if (!part->is_bf16) return part->images;
  return at_most((part->image + part->images) * 2, part->batch) - part->image * 2;
}

int64_t filter_gradient_ahead_limit(const packed_part *part) {
  const part_pieces p = pieces_of(part);
  /* A piece may begin and end inside a block. */
  return part->images * (part->is_bf16 ? 2 : 1) * p.rows * p.pieces * (p.bytes / AHEAD_BYTES + 2);
}

int64_t filter_gradient_list_ahead(const packed_part *part, const char **ahead) {
  const part_pieces p = pieces_of(part);
  const int64_t size = part->is_bf16 ? 2 : 4;
  const int64_t pixel_bytes = part->channels * size;
  int64_t count = 0;
  for (int64_t image = 0; image < images_of(part); image++) {
    const int64_t number = part->image * (part->is_bf16 ? 2 : 1) + image;
    for (int64_t row = 0; row < p.rows; row++) {
      const int64_t y = part->row + row * part->row_step;
      const int64_t pixel = (number * part->height + y) * part->width + part->pixel;
      const char *piece = (const char *)part->data + pixel * pixel_bytes + part->channel * size;
      for (int64_t i = 0; i < p.pieces; i++, piece += part->pixel_step * pixel_bytes) {
        const char *block = (const char *)((uintptr_t)piece & ~(uintptr_t)(AHEAD_BYTES - 1));
        for (; block < piece + p.bytes; block += AHEAD_BYTES) ahead[count++] = block;
      }
    }
  }
  return count;
}
