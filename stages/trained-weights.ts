/** The end of every training stage: trained weights into the store, or a stop that keeps the state. */
import { Effect } from "effect"
import { encodeWeights } from "../lib/models/weights.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { TensorRuntime } from "../lib/tensor/Runtime.ts"
import { resultingWeights } from "../lib/train/ResumePoint.ts"
import type { TrainResult } from "../lib/train/Trainer.ts"
import { JobContext, JobStopped } from "../lib/workflow/JobContext.ts"

/** Fails with `JobStopped` where training ended because it was asked to. */
export const trainedWeights = Effect.fn("trainedWeights")(function* ({
  dataSeconds,
  state,
  status
}: TrainResult) {
  if (status === "stopped") return yield* new JobStopped({ message: `stopped in epoch ${state.epoch + 1}` })
  const { numerics } = yield* TensorRuntime
  yield* (yield* JobContext).provenance({ numerics: { ...numerics }, dataSeconds })
  return {
    weights: yield* (yield* BlobStore).put(encodeWeights(resultingWeights(state))),
    history: state.history
  }
})
