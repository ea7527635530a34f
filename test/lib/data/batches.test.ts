import { assert, describe, it } from "@effect/vitest"
import { normalizationTable } from "../../../lib/data/augment/normalization.ts"
import {
  classificationBatches,
  evaluationBatches,
  fillEvaluationBatch,
  type LabelledImages
} from "../../../lib/data/batches.ts"

/** Ten 2x2 images; all pixels of image i are 20 i, its label is i % 3. */
const dataset: LabelledImages = {
  images: Uint8Array.from({ length: 40 }, (_, index) => 20 * Math.floor(index / 4)),
  labels: Int32Array.from({ length: 10 }, (_, index) => index % 3),
  height: 2,
  width: 2,
  channels: 1
}
const normalization = { mean: [0], std: [1 / 255] }

const batchesOf = (seed: number, augment = { pad: 0, flip: false }) =>
  classificationBatches({
    dataset,
    normalization,
    numClasses: 3,
    batchSize: 4,
    seed,
    labelSmoothing: 0,
    augment
  })

const feedsOf = (batches: ReturnType<typeof batchesOf>, epoch: number, step: number) => {
  const feeds = { images: new Float32Array(16), targets: new Float32Array(12) }
  batches.fill({ epoch, step }, feeds)
  return feeds
}

/** Which examples a batch holds, read off its pixels. */
const examplesOf = ({ images }: { images: Float32Array }) =>
  [0, 1, 2, 3].map((slot) => Math.round(images[slot * 4]! / 20))

describe("classificationBatches", () => {
  it("drops the last partial batch and says the shapes", () => {
    const batches = batchesOf(0)
    assert.strictEqual(batches.stepsPerEpoch, 2)
    assert.deepStrictEqual(batches.inputs.images.shape, [4, 2, 2, 1])
    assert.deepStrictEqual(batches.inputs.targets.shape, [4, 3])
  })

  it("shows every example at most once an epoch, in an order of the epoch's own", () => {
    const batches = batchesOf(0)
    const epoch = (number: number) => [0, 1].flatMap((step) => examplesOf(feedsOf(batches, number, step)))
    assert.strictEqual(new Set(epoch(0)).size, 8)
    assert.notDeepEqual(epoch(0), epoch(1))
    assert.notDeepEqual(
      epoch(0),
      [0, 1].flatMap((step) => examplesOf(feedsOf(batchesOf(1), 0, step)))
    )
  })

  it("keeps labels with their images", () => {
    const feeds = feedsOf(batchesOf(0), 3, 1)
    for (const [slot, example] of examplesOf(feeds).entries()) {
      assert.strictEqual(feeds.targets[slot * 3 + (example % 3)], 1, `slot ${slot}`)
    }
  })

  it("makes the same batch whatever was made before", () => {
    const batches = batchesOf(7, { pad: 1, flip: true })
    const first = feedsOf(batches, 1, 1)
    feedsOf(batches, 0, 0)
    feedsOf(batches, 2, 1)
    assert.deepStrictEqual(feedsOf(batches, 1, 1), first)
    assert.deepStrictEqual(feedsOf(batchesOf(7, { pad: 1, flip: true }), 1, 1), first)
  })

  it("augments an example differently in each epoch and crops all over the padding", () => {
    const batches = batchesOf(7, { pad: 1, flip: true })
    // Where the crop lies shows in which of the four pixels are padding.
    const patterns = new Set<string>()
    for (let epoch = 0; epoch < 40; epoch++) {
      const { images } = feedsOf(batches, epoch, 0)
      for (const slot of [0, 1, 2, 3]) {
        const pixels = images.subarray(slot * 4, slot * 4 + 4)
        patterns.add([...pixels].map((value) => (value > 0 ? 1 : 0)).join(""))
      }
    }
    // Whole, the four corners, the four sides; 0000 is the black image 0.
    assert.includeMembers(
      [...patterns],
      ["1111", "1000", "0100", "0010", "0001", "1100", "0011", "1010", "0101"]
    )
  })
})

describe("evaluation batches", () => {
  it("cover every example once, the last one short", () =>
    assert.deepStrictEqual(evaluationBatches(10, 4), [
      { start: 0, count: 4 },
      { start: 4, count: 4 },
      { start: 8, count: 2 }
    ]))

  it("hold the images in order, normalised", () => {
    const output = new Float32Array(16).fill(-1)
    fillEvaluationBatch(dataset, { start: 8, count: 2 }, normalizationTable(normalization), output)
    assert.deepStrictEqual(
      [...output].map(Math.round),
      [160, 160, 160, 160, 180, 180, 180, 180, -1, -1, -1, -1, -1, -1, -1, -1]
    )
  })
})
