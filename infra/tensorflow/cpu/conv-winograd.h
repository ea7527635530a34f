/*
 * Winograd's minimal filtering F(4x4, 3x3) in float32 (Lavin and Gray, arXiv 1509.09308): 4 x 4 outputs from
 * 6 x 6 source pixels by 36 products where the definition has 144. The points 0, +-5/8, +-3/2, infinity are
 * exact in binary and lose least: over 64 channels of uniform values, the root mean square error against
 * float64 is 7.5e-7 of the outputs' (customary points +-1, +-2: 1.8e-6; summed directly: 4.3e-7).
 */
#ifndef DISTILLERY_CONV_WINOGRAD_H
#define DISTILLERY_CONV_WINOGRAD_H

#include "conv-plan.h"

/* 1 for plans that it computes, and faster. */
int conv_winograd_suits(const conv_plan *plan);
void conv_winograd_run(const conv_plan *plan, const conv_filter *filter, const float *source, float *out);

#endif
