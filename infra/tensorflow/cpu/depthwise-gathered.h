/* A depthwise forward pass made ready, for whoever takes its rows one by one. */
#ifndef DISTILLERY_DEPTHWISE_GATHERED_H
#define DISTILLERY_DEPTHWISE_GATHERED_H

#include "gather-rows.h"

/*
 * Without source, output and bands. Filter and finish are in the order of lanes, in shared scratch memory and
 * `ordered_finish`, which both have to last.
 */
gathered_tensor depthwise_gathered(const window_shape *shape, element type, const float *filter,
                                   const channel_finish *finish, channel_finish *ordered_finish);

#endif
