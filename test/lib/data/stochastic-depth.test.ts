import { assert, describe, it } from "@effect/vitest"
import { classificationBatches } from "../../../lib/data/batches.ts"
import { chanceOfBlock, writeKeptBlocks } from "../../../lib/data/stochastic-depth.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

const depth = { rate: 0.5, numBlocks: 5 }

const keptOf = (examples: ReadonlyArray<number>) => {
  const kept = new Float32Array(examples.length * 5)
  writeKeptBlocks(kept, Int32Array.from(examples), depth, RandomStream.make(0, "depth test"))
  return examples.map((_, slot) => [...kept.subarray(slot * 5, (slot + 1) * 5)])
}

describe("stochastic depth", () => {
  it("skips late blocks more often, in proportion to their place", () =>
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4].map((place) => Math.round(chanceOfBlock(depth, place) * 10) / 10),
      [0.9, 0.8, 0.7, 0.6, 0.5]
    ))

  it("keeps each block as often as that, and makes up for what it skips", () => {
    const rows = keptOf(Array.from({ length: 4000 }, (_, example) => example))
    for (const [place, chance] of [0.9, 0.8, 0.7, 0.6, 0.5].entries()) {
      const factors = rows.map((row) => row[place]!)
      assert.approximately(factors.filter((factor) => factor > 0).length / 4000, chance, 0.025)
      assert.isTrue(factors.every((factor) => factor === 0 || Math.abs(factor - 1 / chance) < 1e-6))
    }
  })

  it("depends on the example, not on its place in a batch", () => {
    const [first, second] = keptOf([7, 9])
    assert.deepStrictEqual(keptOf([9, 7]), [second, first])
  })

  it("comes with the batch, and leaves the rest of it alone", () => {
    const options = {
      dataset: {
        images: new Uint8Array(6).fill(9),
        labels: new Int32Array(6),
        height: 1,
        width: 1,
        channels: 1
      },
      normalization: { mean: [0], std: [1] },
      ...{ numClasses: 2, batchSize: 3, seed: 5, labelSmoothing: 0, augment: { pad: 0, flip: true } }
    }
    const plain = classificationBatches(options)
    const skipping = classificationBatches({ ...options, depth })
    assert.deepStrictEqual(skipping.inputs, {
      ...plain.inputs,
      keptBlocks: { shape: [3, 5], dtype: "float32" }
    } as typeof skipping.inputs)
    const feedsOf = (batches: typeof plain, epoch: number) => {
      const feeds = { images: new Float32Array(3), targets: new Float32Array(6) }
      const keptBlocks = new Float32Array(15)
      batches.fill({ epoch, step: 0 }, { ...feeds, keptBlocks } as typeof feeds)
      return { ...feeds, keptBlocks }
    }
    const { keptBlocks, ...rest } = feedsOf(skipping, 1)
    assert.deepStrictEqual({ ...rest, keptBlocks: new Float32Array(15) }, feedsOf(plain, 1))
    assert.deepStrictEqual(feedsOf(skipping, 1).keptBlocks, keptBlocks)
    assert.notDeepEqual(feedsOf(skipping, 2).keptBlocks, keptBlocks)
  })
})
