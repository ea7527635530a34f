/** The same code drives TensorFlow 2.9.1, which an installed tfjs-node brings along. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { attribute } from "../../../infra/tensorflow/attributes.ts"
import { DataType } from "../../../infra/tensorflow/capi.ts"
import { olderTensorflow } from "../../support/olderTensorflow.ts"
import { olderProblem } from "../../support/operationGuard.ts"
import { native } from "../../support/runtimes.ts"
import { train } from "./residual-net.ts"

describe("what is recorded is compared with the operations of TensorFlow 2.9.1", () => {
  it("which have to have the operation and its attributes", () => {
    const dtype = attribute.type(DataType.float32)
    assert.isUndefined(olderProblem("AddV2", { T: dtype }))
    assert.isUndefined(
      olderProblem("FusedBatchNormV3", { T: dtype, exponential_avg_factor: attribute.float(1) })
    )
    assert.match(olderProblem("Conv") ?? "", /TensorFlow 2\.9\.1 has no operation Conv$/)
    assert.match(
      olderProblem("Relu", { T: dtype, alpha: attribute.float(1) }) ?? "",
      /no attribute alpha .*has T\)$/
    )
  })
})

const script = join(import.meta.dirname, "../../support/olderTraining.ts")

const trainOn = ({ directory, preload }: NonNullable<typeof olderTensorflow>, precision: string) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [script, directory, precision], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LD_PRELOAD: preload },
    encoding: "utf8"
  })
  assert.strictEqual(status, 0, stderr)
  return JSON.parse(stdout) as {
    readonly library: string
    readonly losses: ReadonlyArray<number>
    readonly gradients: ReadonlyArray<number>
  }
}

const skipped =
  olderTensorflow === undefined
    ? " (skipped: not in the cache; node test/golden/older-operations/make.ts puts it there)"
    : native.skipped

describe(`training on TensorFlow 2.9.1${skipped}`, () => {
  for (const [precision, tolerance] of [
    ["float32", 1e-4],
    ["bfloat16", 0.03]
  ] as const) {
    it.skipIf(skipped !== "")(
      `gives the losses of the newer one in ${precision}`,
      async () => {
        const older = trainOn(olderTensorflow!, precision)
        assert.strictEqual(older.library, "tensorflow 2.9.1")
        const newer = await Effect.runPromise(Effect.provide(train(precision, 5), native.layer))
        older.losses.forEach((loss, step) => {
          assert.approximately(loss, newer.losses[step]!, tolerance)
        })
      },
      60_000
    )
  }
})
