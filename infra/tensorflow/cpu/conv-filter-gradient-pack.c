/* Packs the sides of a filter gradient into lanes of 32 bits. */
#include "conv-filter-gradient-parts.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* Where image `image` of the part begins; for bf16 also its partner, which the last of an odd batch lacks. */
typedef struct {
  const char *first, *second;
  int has_second;
} image_pair;

static image_pair pair_of(const packed_part *part, int64_t image) {
  const int64_t bytes = part->height * part->width * part->channels * (part->is_bf16 ? 2 : 4);
  const int64_t index = (part->image + image) * (part->is_bf16 ? 2 : 1);
  const int has_second = part->is_bf16 && index + 1 < part->batch;
  const char *first = (const char *)part->data + index * bytes;
  return (image_pair){first, has_second ? first + bytes : first, has_second};
}

/* Up to 16 elements from `offset` on as lanes; those outside `mask` are 0. */
INLINE __m512i load_lanes(const image_pair *pair, int64_t offset, __mmask16 mask, int is_bf16) {
  if (!is_bf16) return _mm512_maskz_loadu_epi32(mask, pair->first + offset * 4);
  const __mmask16 second_mask = pair->has_second ? mask : 0;
  const __m256i first = _mm256_maskz_loadu_epi16(mask, pair->first + offset * 2);
  const __m256i second = _mm256_maskz_loadu_epi16(second_mask, pair->second + offset * 2);
  const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16);
  return _mm512_or_si512(_mm512_cvtepu16_epi32(first), high);
}

static __mmask16 mask_of(int64_t lanes) { return lanes >= LANES ? 0xffff : (__mmask16)((1 << lanes) - 1); }

INLINE void pack_vector(const packed_part *part, const image_pair *pair, int64_t vector, float *to, int64_t pitch,
                        int64_t row, int is_bf16) {
  const __mmask16 mask = mask_of(part->channel_count - vector * LANES);
  int64_t from = ((part->row + row * part->row_step) * part->width + part->pixel) * part->channels;
  from += part->channel + vector * LANES;
  const int64_t step = part->pixel_step * part->channels;
  for (int64_t pixel = 0; pixel < part->pixels; pixel++) {
    _mm512_storeu_si512(to + pixel * pitch, load_lanes(pair, from + pixel * step, mask, is_bf16));
  }
}

void filter_gradient_pack_panels(const packed_part *part, int64_t panel_vectors, float *packed) {
  const int64_t vectors = divide_up(part->channel_count, LANES);
  const int64_t panels = panel_vectors == 1 ? vectors : column_panels(vectors);
  const int64_t total = part->images * part->rows * part->pixels;
  for (int64_t image = 0; image < part->images; image++) {
    const image_pair pair = pair_of(part, image);
    for (int64_t row = 0; row < part->rows; row++) {
      const int64_t done = (image * part->rows + row) * part->pixels;
      for (int64_t vector = 0; vector < vectors; vector++) {
        const int64_t panel = at_most(vector / panel_vectors, panels - 1);
        const int64_t first = panel * panel_vectors;
        const int64_t pitch = (panel_vectors == 1 ? 1 : panel_width(vectors, panel)) * LANES;
        float *to = packed + first * LANES * total + done * pitch + (vector - first) * LANES;
        if (part->is_bf16) pack_vector(part, &pair, vector, to, pitch, row, 1);
        else pack_vector(part, &pair, vector, to, pitch, row, 0);
      }
    }
  }
}

void filter_gradient_pack_rows(const packed_part *part, int64_t left, int64_t row_lanes, float *packed) {
  left = at_most(left, row_lanes);
  const int64_t lanes = at_most(part->width * part->channels, row_lanes - left);
  for (int64_t image = 0; image < part->images; image++) {
    const image_pair pair = pair_of(part, image);
    for (int64_t row = 0; row < part->rows; row++, packed += row_lanes) {
      const int64_t from = (part->row + row * part->row_step) * part->width * part->channels;
      for (int64_t lane = 0; lane < left; lane++) packed[lane] = 0;
      for (int64_t lane = 0; lane < lanes; lane += LANES) {
        const __mmask16 mask = mask_of(lanes - lane);
        const __m512i packed_lanes = part->is_bf16 ? load_lanes(&pair, from + lane, mask, 1)
                                                   : load_lanes(&pair, from + lane, mask, 0);
        _mm512_mask_storeu_epi32(packed + left + lane, mask, packed_lanes);
      }
      for (int64_t lane = left + lanes; lane < row_lanes; lane++) packed[lane] = 0;
    }
  }
}

#else

void filter_gradient_pack_panels(const packed_part *part, int64_t panel_vectors, float *packed) {
  (void)part, (void)panel_vectors, (void)packed;
}

void filter_gradient_pack_rows(const packed_part *part, int64_t left, int64_t row_lanes, float *packed) {
  (void)part, (void)left, (void)row_lanes, (void)packed;
}

#endif
