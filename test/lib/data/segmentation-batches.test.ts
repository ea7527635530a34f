import { assert, describe, it } from "@effect/vitest"
import { normalizationTable } from "../../../lib/data/augment/normalization.ts"
import { fillEvaluationBatch } from "../../../lib/data/batches.ts"
import { ignored, type MaskedImages } from "../../../lib/data/masked-images.ts"
import {
  type SegmentationBatchesOptions,
  segmentationBatches
} from "../../../lib/data/segmentation-batches.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { DenseAugment } from "../../../lib/train/DenseAugment.ts"

const [height, width] = [12, 16]
const pixels = height * width
const normalization = { mean: [0.5], std: [0.2] }

/** Five images of blocks in the colours of their classes: 40 times class plus the example's number. */
const blocks = (example: number) => {
  const random = RandomStream.make(example)
  const classes = Array.from({ length: 12 }, () => random.below(5))
  return Array.from({ length: pixels }, (_, pixel) => {
    const [row, column] = [Math.floor(pixel / width), pixel % width]
    return classes[Math.floor(row / 4) * 4 + Math.floor(column / 4)]!
  })
}
const examples = [0, 1, 2, 3, 4]
const dataset: MaskedImages = {
  masks: Uint8Array.from(examples.flatMap(blocks), (value) => (value === 4 ? ignored : value)),
  images: Uint8Array.from(
    examples.flatMap((example) => blocks(example).map((value) => 40 * value + example))
  ),
  extents: Int32Array.from(examples.flatMap(() => [height, width])),
  height,
  width,
  channels: 1
}
const everything = DenseAugment.make({
  flip: true,
  flipVertical: true,
  scale: [0.5, 2],
  brightness: 0.3,
  contrast: 0.3
})

const batchesOf = (options: Partial<SegmentationBatchesOptions> = {}) =>
  segmentationBatches({
    dataset,
    normalization,
    batchSize: 2,
    seed: 9,
    augment: DenseAugment.make({}),
    ...options
  })

const filled = (batches: ReturnType<typeof batchesOf>, epoch: number, step: number) => {
  const feeds = {
    images: new Float32Array(batches.batchSize * pixels).fill(9),
    labels: new Int32Array(batches.batchSize * pixels).fill(9)
  }
  batches.fill({ epoch, step }, feeds)
  return feeds
}

describe("segmentationBatches", () => {
  it("says its shapes, drops the last partial batch", () => {
    const batches = batchesOf()
    assert.strictEqual(batches.stepsPerEpoch, 2)
    assert.deepStrictEqual(batches.inputs, {
      images: { shape: [2, height, width, 1], dtype: "float32" },
      labels: { shape: [2, height, width], dtype: "int32" }
    })
  })

  it("shows every image with its mask once an epoch, without augmentation as an evaluation sees it", () => {
    const batches = batchesOf({ batchSize: 1 })
    const expected = new Float32Array(pixels)
    const seen = [0, 1, 2, 3, 4].map((step) => {
      const { images, labels } = filled(batches, 2, step)
      // The example's number is in the colour.
      const example = Math.round((images[0]! * 0.2 + 0.5) * 255) % 40
      const table = normalizationTable(normalization)
      fillEvaluationBatch(dataset, { start: example, count: 1 }, table, expected)
      assert.deepStrictEqual(images, expected)
      const mask = dataset.masks.subarray(example * pixels, (example + 1) * pixels)
      assert.deepStrictEqual([...labels], [...mask])
      return example
    })
    assert.deepStrictEqual(
      [...seen].sort((a, b) => a - b),
      [0, 1, 2, 3, 4]
    )
  })

  it("masks follow their images: where no two classes meet, the colour tells the class", () => {
    const batches = batchesOf({
      normalization: { mean: [0], std: [1 / 255] },
      augment: DenseAugment.make({ flip: true, flipVertical: true, scale: [1, 2] })
    })
    let compared = 0
    for (let epoch = 0; epoch < 10; epoch++) {
      const { images, labels } = filled(batches, epoch, 0)
      for (let pixel = 0; pixel < 2 * pixels; pixel++) {
        const colour = images[pixel]!
        // Between two blocks the colour is between theirs: only those near a class's own are compared.
        if (labels[pixel] === ignored || Math.abs((colour % 40) - 2) > 2.5) continue
        const around = [-1, 1, -width, width].map((step) => labels[pixel + step])
        if (around.some((label) => label !== labels[pixel])) continue
        assert.strictEqual(Math.floor((colour + 0.5) / 40), labels[pixel])
        compared++
      }
    }
    assert.isAbove(compared, 1000)
  })

  it("ignores what is no image", () => {
    const { images, labels } = filled(batchesOf({ augment: DenseAugment.make({ scale: [0.5, 0.5] }) }), 0, 0)
    const padding = [...labels.keys()].filter((pixel) => images[pixel] === 0)
    assert.strictEqual(padding.length, 2 * (pixels - pixels / 4))
    assert.isTrue(padding.every((pixel) => labels[pixel] === ignored))
  })

  it.each([
    ["flipped both ways", 1],
    ["flipped both ways and zoomed in", 1.5]
  ])("%s, an image shows nothing of its padding", (_, scale) => {
    // White images of 5 x 7 pixels on black padding, their class 2 and the padding's, if it were seen, 3.
    const [rows, columns] = [5, 7]
    const isImage = (pixel: number) => Math.floor(pixel / width) < rows && pixel % width < columns
    const each = (image: number, padding: number) =>
      Uint8Array.from({ length: examples.length * pixels }, (_, index) =>
        isImage(index % pixels) ? image : padding
      )
    const padded = {
      ...dataset,
      images: each(255, 0),
      masks: each(2, 3),
      extents: Int32Array.from(examples.flatMap(() => [rows, columns]))
    }
    const batches = batchesOf({
      dataset: padded,
      normalization: { mean: [0], std: [1] },
      augment: DenseAugment.make({ flip: true, flipVertical: true, scale: [scale, scale] })
    })
    for (let epoch = 0; epoch < 10; epoch++) {
      const { images, labels } = filled(batches, epoch, 0)
      for (const slot of [0, 1]) {
        const [pixelsOf, labelsOf] = [images, labels].map((all) => [
          ...all.subarray(slot * pixels, (slot + 1) * pixels)
        ])
        assert.deepStrictEqual(new Set(labelsOf), new Set([2, ignored]))
        const seen = labelsOf!.filter((label) => label === 2).length
        assert.closeTo(seen, rows * scale * columns * scale, scale === 1 ? 0 : (rows + columns) * scale)
        labelsOf!.forEach((label, pixel) => {
          if (label === ignored) assert.strictEqual(pixelsOf![pixel], 0)
          if (scale === 1) assert.strictEqual(label, isImage(pixel) ? 2 : ignored)
        })
      }
    }
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

  it("an example's augmentation does not depend on the batch it is in", () => {
    const inPairs = [0, 1].map((step) => filled(batchesOf({ augment: everything }), 3, step))
    const inFours = filled(batchesOf({ augment: everything, batchSize: 4 }), 3, 0)
    for (const name of ["images", "labels"] as const) {
      assert.deepStrictEqual(
        inPairs.flatMap((feeds) => [...feeds[name]]),
        [...inFours[name]]
      )
    }
  })
})
