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

/* Channels, or neighbours in a row, that are packed at once: a cache line of bf16. */
#define UNIT (2 * LANES)

typedef struct {
  __m512i low, high;
} unit_lanes;

/* 32 elements from `offset` on as lanes; those outside `mask` are 0. */
INLINE unit_lanes load_unit(const image_pair *pair, int64_t offset, __mmask32 mask, int is_bf16) {
  if (!is_bf16) {
    const char *from = pair->first + offset * 4;
    return (unit_lanes){_mm512_maskz_loadu_epi32((__mmask16)mask, from),
                        _mm512_maskz_loadu_epi32((__mmask16)(mask >> LANES), from + LANES * 4)};
  }
  const __m512i first = _mm512_maskz_loadu_epi16(mask, pair->first + offset * 2);
  const __m512i second = _mm512_maskz_loadu_epi16(pair->has_second ? mask : 0, pair->second + offset * 2);
  /* Lane l takes element l of both: index l below, l + 32 above. */
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i of_second = _mm512_slli_epi32(_mm512_or_si512(lane, _mm512_set1_epi32(UNIT)), 16);
  const __m512i low = _mm512_or_si512(lane, of_second);
  const __m512i high = _mm512_or_si512(low, _mm512_set1_epi16(LANES));
  return (unit_lanes){_mm512_permutex2var_epi16(first, low, second),
                      _mm512_permutex2var_epi16(first, high, second)};
}

static __mmask32 mask_of(int64_t elements) {
  return elements >= UNIT ? 0xffffffff : (__mmask32)((1u << elements) - 1);
}

INLINE void prefetch_unit(const image_pair *pair, int64_t offset, int is_bf16) {
  _mm_prefetch(pair->first + offset * (is_bf16 ? 2 : 4), _MM_HINT_T0);
  if (is_bf16) _mm_prefetch(pair->second + offset * 2, _MM_HINT_T0);
  else _mm_prefetch(pair->first + offset * 4 + 64, _MM_HINT_T0);
}

/*
 * Where the units of a pixel go: the first to `to`, its upper half `upper` lanes behind, the next `unit`
 * lanes on.
 */
typedef struct {
  float *to;
  int64_t pixel, upper, unit;
} unit_places;

/* Packs `units` units of the pixels of a row; `halves` is 1 where only the lower half of a unit exists. */
INLINE void pack_units(const packed_part *part, const image_pair *pair, int64_t from, int64_t units,
                       __mmask32 mask, unit_places places, int halves, int is_bf16) {
  const int64_t step = part->pixel_step * part->channels;
  /* So far ahead that memory answers in time: 4 KiB of what is read. */
  const int64_t ahead = step * (2048 / UNIT / units + 1);
  for (int64_t pixel = 0; pixel < part->pixels; pixel++, from += step, places.to += places.pixel) {
    float *to = places.to;
    for (int64_t unit = 0; unit < units; unit++, to += places.unit) {
      prefetch_unit(pair, from + ahead + unit * UNIT, is_bf16);
      const unit_lanes lanes = load_unit(pair, from + unit * UNIT, mask, is_bf16);
      _mm512_storeu_si512(to, lanes.low);
      if (halves == 2) _mm512_storeu_si512(to + places.upper, lanes.high);
    }
  }
}

/* Panels of a part: `regular` units in full panels, then what is left in a last one of `last_vectors`. */
typedef struct {
  int64_t panel_vectors, regular, last_vectors, pixels;
} panel_sizes;

static panel_sizes sizes_of(const packed_part *part, int64_t panel_vectors) {
  const int64_t vectors = divide_up(part->channel_count, LANES);
  const int64_t last = panel_vectors == 1 ? 1 : panel_width(vectors, column_panels(vectors) - 1);
  const int64_t regular = last == 3 ? column_panels(vectors) - 1 : part->channel_count / UNIT;
  return (panel_sizes){panel_vectors, regular, last, part->images * part->rows * part->pixels};
}

/* Packs the pixels of a row that begins at element `from`; `done` pixels are packed already. */
INLINE void pack_row(const packed_part *part, const image_pair *pair, int64_t from, const panel_sizes *sizes,
                     int64_t done, float *packed, int is_bf16) {
  const int64_t upper = sizes->panel_vectors == 1 ? LANES * sizes->pixels : LANES;
  const int64_t regular_pitch = sizes->panel_vectors * LANES;
  unit_places places = {packed + done * regular_pitch, regular_pitch, upper, UNIT * sizes->pixels};
  if (sizes->regular > 0) pack_units(part, pair, from, sizes->regular, 0xffffffff, places, 2, is_bf16);
  from += sizes->regular * UNIT;
  int64_t left = part->channel_count - sizes->regular * UNIT;
  places.pixel = sizes->last_vectors * LANES;
  places.to = packed + sizes->regular * UNIT * sizes->pixels + done * places.pixel;
  if (left > LANES) {
    pack_units(part, pair, from, 1, mask_of(left), places, 2, is_bf16);
    from += UNIT;
    left -= UNIT;
    places.to += UNIT;
  }
  if (left > 0) pack_units(part, pair, from, 1, mask_of(left), places, 1, is_bf16);
}

/* Whether packing in panels leaves rows as they are: there is one panel, with no gaps. */
static int is_one_run(const packed_part *part, int64_t panel_vectors) {
  return part->channels == part->channel_count && part->channels % LANES == 0 && part->pixel_step == 1 &&
         part->pixels == part->width && part->channels <= (panel_vectors == 1 ? 1 : 3) * LANES;
}

void filter_gradient_pack_panels(const packed_part *part, int64_t panel_vectors, float *packed) {
  if (is_one_run(part, panel_vectors)) {
    filter_gradient_pack_rows(part, 0, part->width * part->channels, packed);
    return;
  }
  const panel_sizes sizes = sizes_of(part, panel_vectors);
  for (int64_t image = 0; image < part->images; image++) {
    const image_pair pair = pair_of(part, image);
    for (int64_t row = 0; row < part->rows; row++) {
      const int64_t pixel = (part->row + row * part->row_step) * part->width + part->pixel;
      const int64_t from = pixel * part->channels + part->channel;
      const int64_t done = (image * part->rows + row) * part->pixels;
      if (part->is_bf16) pack_row(part, &pair, from, &sizes, done, packed, 1);
      else pack_row(part, &pair, from, &sizes, done, packed, 0);
    }
  }
}

INLINE void pack_run(const image_pair *pair, int64_t from, int64_t lanes, float *to, int is_bf16) {
  for (int64_t lane = 0; lane < lanes; lane += UNIT) {
    const __mmask32 mask = mask_of(lanes - lane);
    const unit_lanes unit = load_unit(pair, from + lane, mask, is_bf16);
    _mm512_mask_storeu_epi32(to + lane, (__mmask16)mask, unit.low);
    _mm512_mask_storeu_epi32(to + lane + LANES, (__mmask16)(mask >> LANES), unit.high);
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
      if (part->is_bf16) pack_run(&pair, from, lanes, packed + left, 1);
      else pack_run(&pair, from, lanes, packed + left, 0);
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
