/** What it costs to make training images: CPU time on one thread, the least of many batches. */
import type { Augment } from "../../lib/data/augment/Augment.ts"
import { classificationBatches, type LabelledImages } from "../../lib/data/batches.ts"
import { type Row, row } from "./Row.ts"

const numBatches = 15

/** Smooth shapes with noise on them, so that no operation finds a special case. */
const imagesOf = (count: number, side: number): LabelledImages => ({
  images: Uint8Array.from({ length: count * side * side * 3 }, (_, at) => {
    const wave = 100 * Math.sin(at / 97) + 100
    return wave + ((Math.imul(at, 0x9e3779b1) >>> 26) & 55)
  }),
  labels: new Int32Array(count),
  height: side,
  width: side,
  channels: 3
})

const crop = { resizedCrop: { area: [0.08, 1], aspect: [3 / 4, 4 / 3] }, flip: true, pad: 0 } as const
const augments: Readonly<Record<string, Augment>> = {
  "pad, crop and flip": { pad: 4, flip: true },
  "random-resized crop": crop,
  "the paper's": { ...crop, colour: { kind: "paper", strength: 0.4 }, pcaNoise: 0.1 },
  "RandAugment, two operations": {
    ...crop,
    autoAugment: { kind: "rand-augment", ops: 2, magnitude: 9, std: 0 }
  }
}

const sizes = [
  { batchSize: 128, stored: 32, input: 32 },
  { batchSize: 32, stored: 256, input: 224 }
] as const

const cpuMillis = (augment: Augment, { batchSize, input, stored }: (typeof sizes)[number]): number => {
  const batches = classificationBatches({
    ...{ augment, batchSize, numClasses: 10, seed: 1, labelSmoothing: 0 },
    dataset: imagesOf(2 * batchSize, stored),
    normalization: { mean: [0.48, 0.45, 0.4], std: [0.22, 0.22, 0.22] },
    inputSize: { height: input, width: input }
  })
  const feeds = {
    images: new Float32Array(batchSize * input * input * 3),
    targets: new Float32Array(batchSize * 10)
  }
  const spent = Array.from({ length: numBatches }, (_, epoch) => {
    const began = process.cpuUsage()
    batches.fill({ epoch, step: 0 }, feeds)
    const { system, user } = process.cpuUsage(began)
    return (system + user) / 1000
  })
  return Math.min(...spent)
}

export const measure = async (): Promise<ReadonlyArray<Row>> =>
  sizes.flatMap((size) =>
    Object.entries(augments).map(([name, augment]) =>
      row({
        name: `${size.batchSize} images of ${size.input} px: ${name}`,
        value: cpuMillis(augment, size),
        unit: "ms of CPU",
        ...(size.input === 224 && { goal: 4 * size.batchSize })
      })
    )
  )
