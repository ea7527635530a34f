/*
 * The transforms of F(4, 3) for the points 0, A, -A, B, -B and infinity, along one axis, for 16 channels:
 * y = products((G filter) * (S source)). Row p of S holds the coefficients of the product of (x - q) over all
 * other points q, row p of G has 1, p, p^2 over that product at x = p, and powers of p sum the products.
 */
#ifndef DISTILLERY_CONV_WINOGRAD_TRANSFORMS_H
#define DISTILLERY_CONV_WINOGRAD_TRANSFORMS_H

#include <immintrin.h>

/* Source pixels and outputs of a patch along one axis, and the products of a patch. */
#define FROM 6
#define TO 4
#define PRODUCTS (FROM * FROM)

#define A 0.625f
#define B 1.5f
#define AA (A * A)
#define BB (B * B)

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 times(float a, __m512 x) { return _mm512_mul_ps(_mm512_set1_ps(a), x); }
INLINE __m512 plus(__m512 y, float a, __m512 x) { return _mm512_fmadd_ps(_mm512_set1_ps(a), x, y); }

INLINE void transform_source(const __m512 d[FROM], __m512 t[FROM]) {
  __m512 even_a = plus(d[4], -BB, d[2]), odd_a = plus(d[3], -BB, d[1]);
  __m512 even_b = plus(d[4], -AA, d[2]), odd_b = plus(d[3], -AA, d[1]);
  t[0] = plus(plus(d[4], -(AA + BB), d[2]), AA * BB, d[0]);
  t[1] = plus(even_a, A, odd_a);
  t[2] = plus(even_a, -A, odd_a);
  t[3] = plus(even_b, B, odd_b);
  t[4] = plus(even_b, -B, odd_b);
  t[5] = plus(plus(d[5], -(AA + BB), d[3]), AA * BB, d[1]);
}

INLINE void transform_filter(const __m512 g[3], __m512 t[FROM]) {
  const float a = 1 / (2 * AA * (AA - BB)), b = 1 / (2 * BB * (BB - AA));
  __m512 even_a = times(a, plus(g[0], AA, g[2])), even_b = times(b, plus(g[0], BB, g[2]));
  t[0] = times(1 / (AA * BB), g[0]);
  t[1] = plus(even_a, a * A, g[1]);
  t[2] = plus(even_a, -a * A, g[1]);
  t[3] = plus(even_b, b * B, g[1]);
  t[4] = plus(even_b, -b * B, g[1]);
  t[5] = g[2];
}

INLINE void transform_products(const __m512 m[FROM], __m512 y[TO]) {
  __m512 sum_a = _mm512_add_ps(m[1], m[2]), difference_a = _mm512_sub_ps(m[1], m[2]);
  __m512 sum_b = _mm512_add_ps(m[3], m[4]), difference_b = _mm512_sub_ps(m[3], m[4]);
  y[0] = _mm512_add_ps(m[0], _mm512_add_ps(sum_a, sum_b));
  y[1] = plus(times(A, difference_a), B, difference_b);
  y[2] = plus(times(AA, sum_a), BB, sum_b);
  y[3] = plus(plus(m[5], A * AA, difference_a), B * BB, difference_b);
}

#endif
