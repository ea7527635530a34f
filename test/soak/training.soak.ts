/**
 * Training for long, and in large batches: 2,000 updates with micro-batches, averaged weights and a scaled
 * loss take no more memory at their end than in their middle, and a batch of 1,024 takes about as much as
 * its micro-batches.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { tf } from "../../lib/tensor/tf.ts"
import { train } from "../../lib/train/Trainer.ts"
import { toyTraining } from "../suites/trainer.ts"
import { climb, residentMiB } from "../support/residentMemory.ts"
import { native } from "../support/runtimes.ts"

/** Of three updates, each of two parts. */
const EPOCHS = 667
/** MiB that the second half may climb along its fitted line: 0 but for what allocators play with. */
const CLIMB = 8

describe(`training for long${native.skipped}`, () => {
  it.effect.skipIf(native.skipped !== "")("keeps neither tensors nor memory", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({
        ...{ epochs: EPOCHS, batchSize: 8, microBatchSize: 4, precision: "bfloat16" },
        ...{ emaDecay: 0.999, lossScale: 1024 }
      })
      const [tensors, resident]: [Set<number>, Array<number>] = [new Set(), []]
      let parts = 0
      const stopRequested = Effect.sync(() => {
        if (parts++ % 20 === 0) {
          tensors.add(tf.memory().numTensors)
          resident.push(residentMiB())
        }
        return false
      })
      yield* train({ ...toy, stopRequested, save: () => Effect.void })
      const climbed = climb(resident)
      console.log(`${parts / 2} updates: ${climbed.toFixed(2)} MiB of ${resident.at(-1)!.toFixed(0)}`)
      assert.strictEqual(parts, 2 * 3 * EPOCHS)
      assert.strictEqual(tensors.size, 1, [...tensors].join())
      assert.isBelow(climbed, CLIMB)
    }).pipe(Effect.provide(native.layer))
  )
})

const script = join(import.meta.dirname, "../support/batchMemoryChild.ts")

/** MiB that a process took at its worst moment while it trained ResNet-20 for two updates. */
const peakMiB = (batchSize: number, microBatchSize: number): number => {
  const args = ["--import", "tsx", script, String(batchSize), String(microBatchSize)]
  const { stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  return Number(stdout)
}

describe(`a batch of 1,024${native.skipped}`, () => {
  it.skipIf(native.skipped !== "")("in parts of 64 takes the memory of 64, and sums of gradients", () => {
    const [small, parts, whole] = [peakMiB(64, 64), peakMiB(1024, 64), peakMiB(1024, 1024)]
    console.log(`64: ${small} MiB, 1,024 in parts of 64: ${parts} MiB, 1,024 at once: ${whole} MiB`)
    // 272,474 gradients are 1 MiB; a second compiled step has some of its own.
    assert.isBelow(parts, small + 32)
    assert.isAbove(whole, small + 300)
  })
})
