/** Losses, in float32 whatever the trace computes in. */
import {
  SOFTMAX_CROSS_ENTROPY,
  type SoftmaxCrossEntropyInputs
} from "../../../lib/tensor/softmax-cross-entropy.ts"
import { type Kernel, kernel } from "./Kernel.ts"

const softmaxCrossEntropy = kernel<SoftmaxCrossEntropyInputs>(
  SOFTMAX_CROSS_ENTROPY,
  (backend, { logits, targets }) =>
    backend.emitMany(
      "SoftmaxCrossEntropyWithLogits",
      [backend.output(logits), backend.output(targets)],
      backend.typeOf(logits),
      2
    )
)

export const loss: ReadonlyArray<Kernel> = [softmaxCrossEntropy]
