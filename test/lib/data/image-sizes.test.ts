import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { classificationBatches } from "../../../lib/data/batches.ts"
import { actingSize, ImageSizes, largestSize, sizeInEpoch } from "../../../lib/data/image-sizes.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

const input = { height: 8, width: 6 }
const sizes = [
  [1, 4],
  [3, 10]
] as const

describe("sizes of images by epoch", () => {
  it("hold from their epoch on, the input's before the first", () => {
    const rows = [0, 1, 2, 3, 9].map((epoch) => sizeInEpoch(sizes, input, epoch).height)
    assert.deepStrictEqual(rows, [8, 4, 4, 10, 10])
    assert.deepStrictEqual(sizeInEpoch(sizes, input, 1), { height: 4, width: 3 })
    assert.deepStrictEqual(sizeInEpoch(undefined, input, 7), input)
    assert.deepStrictEqual(largestSize(sizes, input), { height: 10, width: 8 })
  })

  it("act in the epochs they hold in, and in no other", () =>
    assert.deepStrictEqual(
      [0, 1, 3].map((epoch) => actingSize(sizes, epoch)),
      [{}, { imageSize: 4 }, { imageSize: 10 }]
    ))

  it("come in the order of their epochs", () => {
    const decode = Schema.decodeUnknownSync(ImageSizes)
    assert.deepStrictEqual(decode(sizes), sizes)
    for (const wrong of [
      [],
      [
        [3, 8],
        [1, 4]
      ],
      [
        [1, 8],
        [1, 4]
      ],
      [[0, 0]]
    ]) {
      assert.throws(() => decode(wrong))
    }
  })
})

describe("batches of images of several sizes", () => {
  const random = RandomStream.make(5)
  const dataset = {
    images: Uint8Array.from({ length: 6 * 8 * 6 }, () => random.below(256)),
    labels: Int32Array.from({ length: 6 }, (_, index) => index % 2),
    ...{ height: 8, width: 6, channels: 1 }
  }
  const batchesOf = (imageSizes?: ImageSizes) =>
    classificationBatches({
      ...{ dataset, numClasses: 2, batchSize: 3, seed: 5, labelSmoothing: 0, imageSizes },
      normalization: { mean: [0], std: [1 / 255] },
      augment: { pad: 2, flip: true }
    })
  const filled = (batches: ReturnType<typeof batchesOf>, epoch: number) => {
    const [images, targets] = [new Float32Array(3 * 10 * 8), new Float32Array(6)]
    batches.fill({ epoch, step: 1 }, { images, targets })
    return { images, targets }
  }

  it("say each epoch's shape, within arrays for the largest", () => {
    const batches = batchesOf(sizes)
    assert.deepStrictEqual(batches.inputs.images.shape, [3, 10, 8, 1])
    assert.deepStrictEqual(batches.shapesIn!(0), { images: [3, 8, 6, 1] })
    assert.deepStrictEqual(batches.shapesIn!(2), { images: [3, 4, 3, 1] })
    assert.isUndefined(batchesOf().shapesIn)
  })

  it("are the usual ones in an epoch of the usual size", () =>
    assert.deepStrictEqual(filled(batchesOf(sizes), 0), filled(batchesOf(), 0)))

  it("show the same crops smaller, mirrored alike", () => {
    const small = filled(batchesOf(sizes), 1).images
    const usual = filled(batchesOf(), 1).images
    // Half the size: a pixel is a weighted mean of those around, so the mean of all stays nearly.
    const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length
    for (const slot of [0, 1, 2]) {
      const [few, many] = [
        small.subarray(slot * 12, (slot + 1) * 12),
        usual.subarray(slot * 48, (slot + 1) * 48)
      ]
      assert.approximately(mean(few), mean(many), 12)
      // The left halves, too: neither is mirrored alone.
      const left = (values: Float32Array, width: number) =>
        mean(values.filter((_, at) => at % width < Math.floor(width / 3)))
      assert.approximately(left(few, 3), left(many, 6), 30)
    }
    assert.isTrue(small.subarray(36).every((value) => value === 0))
  })
})
