/* The finish of a convolution that a batch normalisation by given statistics follows (see batch-norm.h). */
#ifndef DISTILLERY_NORM_FINISH_H
#define DISTILLERY_NORM_FINISH_H

#include "channel-finish.h"
#include "operations.h"

/* After "x: T" and "filter: float"; the first of an operation's numbers. */
#define FINISH_INPUTS "gamma: float", "beta: float", "mean: float", "variance: float"
#define FINISH_NUMBERS "epsilon", "activation"
enum { INPUT_GAMMA = 2, INPUT_BETA, INPUT_MEAN, INPUT_VARIANCE, INPUT_RESIDUAL };
enum { NUMBER_EPSILON, NUMBER_ACTIVATION, NUMBERS_OF_FINISH };

/* As inputs and attributes say, but for the residual; it stands until the operation ends. */
channel_finish norm_finish(operation_call *, const operation_params *);

#endif
