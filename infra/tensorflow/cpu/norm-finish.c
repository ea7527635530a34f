#include "norm-finish.h"
#include "batch-norm.h"

channel_finish norm_finish(operation_call *call, const operation_params *params, finish_place place,
                           int64_t channels, int slot) {
  const int64_t padded = (channels + FINISH_PANEL - 1) / FINISH_PANEL * FINISH_PANEL;
  const float *of[NUM_FINISH_INPUTS];
  for (int i = 0; i < NUM_FINISH_INPUTS; i++) of[i] = operation_input(call, place.input + i, NULL);
  const float epsilon = params->numbers[place.number];
  const activation after = (activation)params->numbers[place.number + 1];
  float *scale = shared_scratch(slot, (size_t)(2 * padded) * sizeof(float)), *shift = scale + padded;
  batch_norm_scales(channels, epsilon, of[0], of[1], of[2], of[3], scale, shift);
  return (channel_finish){.scale = scale, .shift = shift, .low = low_of(after), .high = high_of(after)};
}
