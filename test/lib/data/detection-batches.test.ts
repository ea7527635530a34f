import { assert, describe, it } from "@effect/vitest"
import { makeAnchors } from "../../../lib/boxes/anchors.ts"
import { decodeBoxes, SSD_WEIGHTS } from "../../../lib/boxes/coder.ts"
import { matchAnchors } from "../../../lib/boxes/matcher.ts"
import { normalizationTable } from "../../../lib/data/augment/normalization.ts"
import { fillEvaluationBatch } from "../../../lib/data/batches.ts"
import { type BoxedImages, boxesOfImage } from "../../../lib/data/boxed-images.ts"
import { type DetectionBatchesOptions, detectionBatches } from "../../../lib/data/detection-batches.ts"
import { renderScene } from "../../../lib/data/scenes/scene.ts"
import { DenseAugment } from "../../../lib/train/DenseAugment.ts"

const size = 48
const pixelsPerImage = size * size * 3
const normalization = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] }

/** Scenes with their boxes; the last one's image ends at column 40. */
const scenes = Array.from({ length: 7 }, (_, index) => renderScene({ seed: 5, index, size, maxShapes: 3 }))
const counts = scenes.map(({ shapes }) => shapes.length)
const dataset: BoxedImages = {
  images: Uint8Array.from(scenes.flatMap(({ image }) => [...image.pixels])),
  height: size,
  width: size,
  channels: 3,
  boxes: Float32Array.from(scenes.flatMap(({ shapes }) => shapes.flatMap(({ box }) => box))),
  classes: Int32Array.from(scenes.flatMap(({ shapes }) => shapes.map(({ classIndex }) => classIndex))),
  difficult: Uint8Array.from(counts.flatMap((count) => Array.from({ length: count }, () => 0))),
  offsets: Int32Array.from([
    0,
    ...counts.map((_, index) => counts.slice(0, index + 1).reduce((a, b) => a + b))
  ]),
  extents: Int32Array.from(scenes.flatMap((_, index) => [size, index === 6 ? 40 : size]))
}
const anchors = makeAnchors({
  height: size,
  width: size,
  levels: [8, 16].map((stride) => ({
    stride,
    rows: size / stride,
    columns: size / stride,
    sizes: [
      [2 * stride, 2 * stride],
      [2 * stride, stride]
    ]
  }))
})
const numAnchors = anchors.length / 4
const everything = DenseAugment.make({
  flip: true,
  flipVertical: true,
  scale: [0.5, 2],
  brightness: 0.3,
  contrast: 0.3,
  saturation: 0.3
})

const batchesOf = (options: Partial<DetectionBatchesOptions> = {}) =>
  detectionBatches({
    dataset,
    normalization,
    anchors,
    batchSize: 2,
    seed: 9,
    augment: DenseAugment.make({}),
    ...options
  })

const filled = (batches: ReturnType<typeof batchesOf>, epoch: number, step: number) => {
  const { batchSize } = batches
  const feeds = {
    images: new Float32Array(batchSize * pixelsPerImage).fill(9),
    labels: new Int32Array(batchSize * numAnchors).fill(9),
    deltas: new Float32Array(batchSize * numAnchors * 4).fill(9)
  }
  batches.fill({ epoch, step }, feeds)
  return feeds
}
const normalized = (example: number) => {
  const output = new Float32Array(pixelsPerImage)
  fillEvaluationBatch(dataset, { start: example, count: 1 }, normalizationTable(normalization), output)
  return output
}
/** Which example of a batch that is not augmented stands in a slot. */
const exampleAt = ({ images }: { readonly images: Float32Array }, slot: number) => {
  const image = images.slice(slot * pixelsPerImage, (slot + 1) * pixelsPerImage)
  return scenes.findIndex((_, example) => normalized(example).every((value, index) => value === image[index]))
}

describe("detectionBatches", () => {
  it("says its shapes, drops the last partial batch", () => {
    const batches = batchesOf({ batchSize: 3 })
    assert.strictEqual(batches.stepsPerEpoch, 2)
    assert.deepStrictEqual(batches.inputs, {
      images: { shape: [3, size, size, 3], dtype: "float32" },
      labels: { shape: [3, numAnchors], dtype: "int32" },
      deltas: { shape: [3, numAnchors, 4], dtype: "float32" }
    })
    assert.strictEqual(batchesOf({ batchSize: 8 }).stepsPerEpoch, 0)
  })

  it("shows every image once an epoch, without augmentation exactly as an evaluation sees it", () => {
    const batches = batchesOf({ batchSize: 1 })
    const seen = [0, 1, 2, 3, 4, 5, 6].map((step) => exampleAt(filled(batches, 4, step), 0))
    assert.deepStrictEqual(
      [...seen].sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6]
    )
    assert.notDeepEqual(
      seen,
      [0, 1, 2, 3, 4, 5, 6].map((step) => exampleAt(filled(batches, 5, step), 0))
    )
  })

  it("labels each anchor with the class of its box, and its deltas lead there", () => {
    const batches = batchesOf({ deltaWeights: SSD_WEIGHTS })
    for (const step of [0, 1, 2]) {
      const feeds = filled(batches, 1, step)
      for (const slot of [0, 1]) {
        const own = boxesOfImage(dataset, exampleAt(feeds, slot))
        const matches = matchAnchors({ anchors, boxes: own.boxes })
        const deltas = feeds.deltas.subarray(slot * numAnchors * 4, (slot + 1) * numAnchors * 4)
        const decoded = decodeBoxes(deltas, anchors, SSD_WEIGHTS)
        assert.isTrue(matches.some((match) => match >= 0))
        matches.forEach((match, anchor) => {
          const label = feeds.labels[slot * numAnchors + anchor]!
          assert.strictEqual(label, match < 0 ? match : own.classes[match]!)
          for (let edge = 0; edge < 4; edge++) {
            if (match < 0) assert.strictEqual(deltas[anchor * 4 + edge], 0)
            else assert.approximately(decoded[anchor * 4 + edge]!, own.boxes[match * 4 + edge]!, 1e-3)
          }
        })
      }
    }
  })

  it("gives difficult boxes to no anchor", () => {
    const difficult = new Uint8Array(dataset.classes.length).fill(1)
    const { deltas, labels } = filled(batchesOf({ dataset: { ...dataset, difficult }, batchSize: 7 }), 0, 0)
    assert.deepStrictEqual(
      [...new Set(labels)].sort((a, b) => a - b),
      [-2, -1]
    )
    assert.isTrue(deltas.every((delta) => delta === 0))
  })

  it("asks the matcher as it is told to", () => {
    const count = (options: Partial<DetectionBatchesOptions>) =>
      filled(batchesOf({ batchSize: 7, ...options }), 0, 0).labels.filter((label) => label >= 0).length
    assert.isAbove(count({ matching: { positiveIou: 0.4, negativeIou: 0.3 } }), count({}))
  })

  it("boxes follow their image: a deciding colour stays inside of them", () => {
    // White boxes on black: without jitter, the mean inside of a decoded box tells whether it lies right.
    const images = new Uint8Array(dataset.images.length)
    for (const example of scenes.keys()) {
      const { boxes } = boxesOfImage(dataset, example)
      for (let box = 0; box < boxes.length; box += 4) {
        const [y1, x1, y2, x2] = boxes.subarray(box, box + 4)
        for (let row = y1!; row < y2!; row++) {
          const start = example * pixelsPerImage + row * size * 3
          images.fill(255, start + x1! * 3, start + x2! * 3)
        }
      }
    }
    const batches = batchesOf({
      dataset: { ...dataset, images },
      normalization: { mean: [0, 0, 0], std: [1, 1, 1] },
      augment: DenseAugment.make({ flip: true, flipVertical: true, scale: [0.7, 1.5] })
    })
    let positives = 0
    for (let epoch = 0; epoch < 10; epoch++) {
      const feeds = filled(batches, epoch, 0)
      const decoded = decodeBoxes(feeds.deltas.slice(0, numAnchors * 4), anchors)
      for (let anchor = 0; anchor < numAnchors; anchor++) {
        if (feeds.labels[anchor]! < 0) continue
        positives++
        const [y1, x1, y2, x2] = decoded.subarray(anchor * 4, anchor * 4 + 4)
        for (let row = Math.ceil(y1! + 1); row < y2! - 2; row++) {
          for (let column = Math.ceil(x1! + 1); column < x2! - 2; column++) {
            assert.isAbove(feeds.images[(row * size + column) * 3]!, 0.99)
          }
        }
      }
    }
    assert.isAbove(positives, 20)
  })

  it("takes of each image what is no padding", () => {
    const batches = batchesOf({
      dataset: { ...dataset, images: new Uint8Array(dataset.images.length).fill(255) },
      normalization: { mean: [0, 0, 0], std: [1, 1, 1] },
      batchSize: 7,
      augment: DenseAugment.make({ scale: [0.5, 0.5] })
    })
    const { images } = filled(batches, 0, 0)
    const covered = scenes.map((_, slot) => {
      const image = images.subarray(slot * pixelsPerImage, (slot + 1) * pixelsPerImage)
      return image.filter((value) => value > 0).length / 3
    })
    assert.deepStrictEqual(
      covered.sort((a, b) => a - b),
      [24 * 20, ...Array.from({ length: 6 }, () => 24 * 24)]
    )
  })

  it("makes the same batch whatever was made before", () => {
    const batches = batchesOf({ augment: everything })
    const first = filled(batches, 1, 1)
    filled(batches, 0, 0)
    filled(batches, 2, 1)
    assert.deepStrictEqual(filled(batches, 1, 1), first)
    assert.deepStrictEqual(filled(batchesOf({ augment: everything }), 1, 1), first)
    assert.notDeepEqual(filled(batchesOf({ augment: everything, seed: 10 }), 1, 1), first)
  })

  it("an example's augmentation does not depend on the batch it is in, but on the epoch", () => {
    const inPairs = [0, 1, 2].map((step) => filled(batchesOf({ augment: everything }), 3, step))
    const inThrees = [0, 1].map((step) => filled(batchesOf({ augment: everything, batchSize: 3 }), 3, step))
    for (const name of ["images", "labels", "deltas"] as const) {
      assert.deepStrictEqual(
        inPairs.flatMap((feeds) => [...feeds[name]]),
        inThrees.flatMap((feeds) => [...feeds[name]])
      )
    }
    const alone = batchesOf({ augment: everything, dataset: oneImage, batchSize: 1 })
    assert.notDeepEqual(filled(alone, 0, 0).images, filled(alone, 1, 0).images)
  })
})

const oneImage: BoxedImages = {
  ...dataset,
  ...boxesOfImage(dataset, 0),
  images: dataset.images.slice(0, pixelsPerImage),
  offsets: Int32Array.of(0, counts[0]!),
  extents: Int32Array.of(size, size)
}
