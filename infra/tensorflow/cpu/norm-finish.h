/* The finish of a convolution that a batch normalisation by given statistics follows (see batch-norm.h). */
#ifndef DISTILLERY_NORM_FINISH_H
#define DISTILLERY_NORM_FINISH_H

#include "channel-finish.h"
#include "operations.h"

/* Four inputs and two numbers of an operation, which stand side by side; after "x: T" and "filter: float". */
#define FINISH_INPUTS "gamma: float", "beta: float", "mean: float", "variance: float"
#define FINISH_NUMBERS "epsilon", "activation"
enum { INPUT_GAMMA = 2, NUM_FINISH_INPUTS = 4, INPUT_RESIDUAL = INPUT_GAMMA + NUM_FINISH_INPUTS };
enum { NUM_FINISH_NUMBERS = 2 };

/* Where a normalisation's first input and first number are among the operation's. */
typedef struct {
  int input, number;
} finish_place;

/* As inputs and attributes say, but for the residual. It lies in the slot of shared scratch memory. */
channel_finish norm_finish(operation_call *, const operation_params *, finish_place, int64_t channels,
                           int slot);

/* A slot that no convolution takes, for what follows an operation's last one. */
enum { SLOT_FINISH = 3 };

#endif
