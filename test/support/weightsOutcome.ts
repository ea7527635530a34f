/** What reading a file of weights comes to: a value that can be used, or an error of those that are named. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { fitWeights } from "../../lib/models/published/fitWeights.ts"
import { readWeightsFile } from "../../lib/models/published/readWeightsFile.ts"
import { ForbiddenGlobal, WeightsFileInvalid } from "../../lib/models/published/WeightsFileInvalid.ts"
import { floatsOf } from "../../lib/models/StoredTensor.ts"
import { sizeOf, type WeightSpec } from "../../lib/nn/Weights.ts"

const specs: ReadonlyArray<WeightSpec> = [
  { name: "conv.weight", shape: [3, 3, 3, 2], role: "kernel" },
  { name: "fc.weight", shape: [2, 4], role: "kernel" },
  { name: "fc.bias", shape: [4], role: "bias" }
]

export type WeightsOutcome = "read" | "WeightsFileInvalid" | "ForbiddenGlobal"

/** Fails as an assertion where it is neither. */
export const weightsOutcome = async (what: string, bytes: Uint8Array): Promise<WeightsOutcome> => {
  const exit = await Effect.runPromiseExit(
    Effect.gen(function* () {
      const { tensors } = yield* readWeightsFile(bytes)
      for (const tensor of tensors.values()) if (sizeOf(tensor.shape) < 2 ** 24) floatsOf(tensor)
      yield* Effect.ignore(fitWeights(tensors, specs))
    })
  )
  if (Exit.isSuccess(exit)) return "read"
  const error = Cause.squash(exit.cause)
  assert.isFalse(Cause.hasDies(exit.cause), `${what}: ${Cause.pretty(exit.cause)}`)
  assert.isTrue(error instanceof WeightsFileInvalid || error instanceof ForbiddenGlobal, what)
  return (error as WeightsFileInvalid | ForbiddenGlobal)._tag
}
