import { assert, describe, it } from "@effect/vitest"
import { classificationBatches } from "../../../lib/data/batches.ts"
import { writeKept } from "../../../lib/data/dropout.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

describe("writeKept", () => {
  it("drops so large a share, and makes up for it in the rest", () => {
    const kept = new Float32Array(4 * 5000)
    const dropout = { rate: 0.2, numFeatures: 5000 }
    writeKept(kept, Int32Array.of(3, 1, 4, 2), dropout, RandomStream.make(0, "dropout test"))
    assert.deepStrictEqual(new Set(kept), new Set([0, 1.25]))
    assert.approximately(kept.filter((factor) => factor === 0).length / kept.length, 0.2, 0.01)
  })

  it("depends on the example, not on its place in a batch", () => {
    const of = (...examples: ReadonlyArray<number>) => {
      const kept = new Float32Array(examples.length * 8)
      const dropout = { rate: 0.5, numFeatures: 8 }
      writeKept(kept, Int32Array.from(examples), dropout, RandomStream.make(0, "dropout test"))
      return examples.map((_, slot) => [...kept.subarray(slot * 8, (slot + 1) * 8)])
    }
    const [first, second] = of(7, 9)
    assert.deepStrictEqual(of(9, 7), [second, first])
    assert.notDeepEqual(first, second)
  })
})

describe("batches of a classifier with dropout", () => {
  const batches = classificationBatches({
    dataset: { images: new Uint8Array(6), labels: new Int32Array(6), height: 1, width: 1, channels: 1 },
    normalization: { mean: [0], std: [1] },
    numClasses: 2,
    batchSize: 3,
    seed: 5,
    labelSmoothing: 0,
    augment: { pad: 0, flip: false },
    dropout: { rate: 0.5, numFeatures: 16 }
  })

  it("say what is kept: the same again for the same step, something else in the next epoch", () => {
    assert.deepStrictEqual(batches.inputs, {
      images: { shape: [3, 1, 1, 1], dtype: "float32" },
      targets: { shape: [3, 2], dtype: "float32" },
      kept: { shape: [3, 16], dtype: "float32" }
    } as typeof batches.inputs)
    const keptIn = (epoch: number, step: number) => {
      const feeds = { images: new Float32Array(3), targets: new Float32Array(6), kept: new Float32Array(48) }
      batches.fill({ epoch, step }, feeds)
      return [...feeds.kept]
    }
    assert.deepStrictEqual(keptIn(1, 0), keptIn(1, 0))
    assert.notDeepEqual(keptIn(1, 0), keptIn(2, 0))
    assert.notDeepEqual(keptIn(1, 0), keptIn(1, 1))
  })
})
