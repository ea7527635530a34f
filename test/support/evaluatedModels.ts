/**
 * Evaluated models of all three tasks, made up but likely: scenes are rendered, what the models said of them
 * is what is there with mistakes put in.
 */
import { Effect } from "effect"
import { encodeBoxedImages } from "../../lib/data/boxed-images.ts"
import { encodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { encodeMaskedImages } from "../../lib/data/masked-images.ts"
import {
  encodeBoxPredictions,
  encodeClassPredictions,
  encodeMaskPredictions
} from "../../lib/data/predictions.ts"
import { renderScene, type Scene } from "../../lib/data/scenes/scene.ts"
import { shapeNames } from "../../lib/data/scenes/shapes.ts"
import type { BlobRef } from "../../lib/storage/BlobStore.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import type { EpochRecord } from "../../lib/train/EpochRecord.ts"
import type {
  ClassifierValue,
  DetectorValue,
  EvaluationValue,
  PreparedDatasetValue,
  SegmenterValue,
  TaskName
} from "../../stages/artifacts.ts"

export interface Evaluated<T extends TaskName, M> {
  readonly evaluation: EvaluationValue<T>
  readonly model: M
  readonly dataset: PreparedDatasetValue<T>
}

interface Options {
  readonly numImages: number
  readonly size: number
}

const architecture = { family: "resnet-cifar", depth: 8, width: 16, shortcut: "B" } as const
const preprocessingOf = (size: number) =>
  ({
    height: size,
    width: size,
    channels: 3,
    fit: "pad",
    mean: [0.5, 0.5, 0.5],
    std: [0.2, 0.2, 0.2]
  }) as const
const maskClasses = ["background", ...shapeNames]
const transferred = {
  taken: Array.from({ length: 42 }, (_, index) => `taken${index}`),
  fresh: Array.from({ length: 20 }, (_, index) => `fresh${index}`),
  frozen: [],
  unused: ["fc.weight", "fc.bias"]
}

/** Losses that fall and a score that rises, with some noise. */
const historyOf = (score: string, epochs: number): ReadonlyArray<EpochRecord> => {
  const random = RandomStream.make(5, score)
  return Array.from({ length: epochs }, (_, index) => {
    const left = Math.exp((-3 * index) / epochs)
    return {
      epoch: index + 1,
      learningRate: 0.1 * left,
      train: { loss: 0.1 + 2 * left + 0.05 * random.uniform() },
      validation: { loss: 0.2 + 1.9 * left + 0.1 * random.uniform(), [score]: 0.9 - 0.8 * left }
    }
  })
}

const scenesOf = ({ numImages, size }: Options, maxShapes: number): ReadonlyArray<Scene> =>
  Array.from({ length: numImages }, (_, index) => renderScene({ seed: 3, index, size, maxShapes }))

const imagesOf = (scenes: ReadonlyArray<Scene>): Uint8Array => {
  const images = new Uint8Array(scenes.reduce((sum, { image }) => sum + image.pixels.length, 0))
  scenes.forEach(({ image }, index) => void images.set(image.pixels, index * image.pixels.length))
  return images
}

const datasetOf = <T extends TaskName>(task: T, options: Options, tensors: BlobRef) => {
  const split = { numExamples: options.numImages, tensors }
  const classes: ReadonlyArray<string> = task === "segmentation" ? maskClasses : shapeNames
  return {
    _tag: "PreparedDataset" as const,
    task,
    classes,
    preprocessing: preprocessingOf(options.size),
    train: { ...split, numExamples: 60_000 },
    validation: null,
    test: split,
    quarantined: [],
    counts: {}
  }
}

const countInto = (numClasses: number, pairs: ReadonlyArray<readonly [number, number]>) => {
  const matrix = Array.from({ length: numClasses }, () => Array.from({ length: numClasses }, () => 0))
  for (const [label, prediction] of pairs) matrix[label]![prediction]!++
  return matrix
}

export const evaluatedClassifier = Effect.fn(function* (options: Options) {
  const blobs = yield* BlobStore
  const scenes = scenesOf(options, 1)
  const random = RandomStream.make(1)
  const labels = Int32Array.from(scenes, ({ shapes }) => shapes[0]!.classIndex)
  const classes = labels.map((label) => (random.uniform() < 0.85 ? label : random.below(shapeNames.length)))
  const probabilities = Float32Array.from(labels, () => random.between(0.4, 1))
  const quality = labels.map((label, at) => Number(label === classes[at])).length
  const side = { height: options.size, width: options.size }
  const tensors = yield* blobs.put(
    encodeLabelledImages({ images: imagesOf(scenes), labels, ...side, channels: 3 })
  )
  const predictions = encodeClassPredictions({
    classes,
    probabilities,
    quality: Float32Array.from({ length: quality }, (_, at) =>
      labels[at] === classes[at] ? probabilities[at]! : (1 - probabilities[at]!) / 2
    )
  })
  const history = historyOf("top1", 8)
  const evaluation: EvaluationValue<"classification"> = {
    _tag: "Evaluation",
    task: "classification",
    protocol: `test split, ${options.numImages} images, one view each, float32`,
    numExamples: options.numImages,
    metrics: { top1: 0.864, top5: 0.991, loss: 0.4123 },
    perClass: shapeNames.map((name) => ({ name, precision: 0.85, recall: 0.87, support: 8 })),
    confusion: countInto(
      shapeNames.length,
      [...labels].map((label, at) => [label, classes[at]!] as const)
    ),
    predictions: yield* blobs.put(predictions),
    history
  }
  const model: ClassifierValue = {
    _tag: "Classifier",
    architecture,
    classes: shapeNames,
    preprocessing: preprocessingOf(options.size),
    weights: tensors,
    numParams: 78_330,
    macs: 12_500_000,
    history
  }
  const dataset: PreparedDatasetValue<"classification"> = datasetOf("classification", options, tensors)
  return { evaluation, model, dataset } satisfies Evaluated<"classification", ClassifierValue>
})

/** The boxes of a scene a little off; some missed, some of another class, one now and then made up. */
const detectedIn = ({ shapes }: Scene, random: RandomStream, size: number) => {
  const found = shapes.flatMap(({ box, classIndex }) => {
    if (random.uniform() < 0.15) return []
    const wrong = random.uniform() < 0.15
    return [
      {
        box: box.map((value) => value + random.gaussian() * size * 0.015),
        classIndex: wrong ? random.below(shapeNames.length) : classIndex,
        score: random.between(wrong ? 0.4 : 0.6, 1)
      }
    ]
  })
  if (random.uniform() < 0.7) return found
  const [y, x] = [random.between(0, size * 0.7), random.between(0, size * 0.7)]
  const madeUp = { box: [y, x, y + size * 0.25, x + size * 0.25], classIndex: random.below(8), score: 0.55 }
  return [...found, madeUp]
}

const offsetsOf = (lists: ReadonlyArray<ReadonlyArray<unknown>>): Int32Array => {
  let sum = 0
  return Int32Array.from([0, ...lists.map(({ length }) => (sum += length))])
}

export const evaluatedDetector = Effect.fn(function* (options: Options) {
  const blobs = yield* BlobStore
  const { size, numImages } = options
  const scenes = scenesOf(options, 3)
  const random = RandomStream.make(2)
  const truths = scenes.flatMap(({ shapes }) => shapes)
  const tensors = yield* blobs.put(
    encodeBoxedImages({
      images: imagesOf(scenes),
      height: size,
      width: size,
      channels: 3,
      boxes: Float32Array.from(truths.flatMap(({ box }) => box)),
      classes: Int32Array.from(truths, ({ classIndex }) => classIndex),
      difficult: new Uint8Array(truths.length),
      offsets: offsetsOf(scenes.map(({ shapes }) => shapes)),
      // The last image has padding, as if it had come in another shape.
      extents: Int32Array.from({ length: 2 * numImages }, (_, at) =>
        at === 2 * numImages - 1 ? size * 0.75 : size
      )
    })
  )
  const found = scenes.map((scene) => detectedIn(scene, random, size))
  const all = found.flat()
  const predictions = encodeBoxPredictions({
    boxes: Float32Array.from(all.flatMap(({ box }) => box)),
    classes: Int32Array.from(all, ({ classIndex }) => classIndex),
    scores: Float32Array.from(all, ({ score }) => score),
    offsets: offsetsOf(found),
    quality: Float32Array.from(found, (boxes, at) => {
      const [labelled, right] = [scenes[at]!.shapes, boxes.filter(({ score }) => score > 0.6).length]
      return Math.min(1, (2 * right) / (labelled.length + boxes.length))
    })
  })
  const history = historyOf("ap50", 12)
  const evaluation: EvaluationValue<"detection"> = {
    _tag: "Evaluation",
    task: "detection",
    protocol: `test split, ${numImages} images, VOC AP at IoU 0.5 (all points) and COCO AP@[.5:.95]`,
    numExamples: numImages,
    metrics: { ap50: 0.7312, ap: 0.4127 },
    perClass: shapeNames.map((name, index) => ({
      name,
      ap50: index === 7 ? null : 0.9 - 0.05 * index,
      ap: index === 7 ? null : 0.6 - 0.04 * index,
      support: index === 7 ? 0 : 12 + index
    })),
    predictions: yield* blobs.put(predictions),
    history
  }
  const model: DetectorValue = {
    _tag: "Detector",
    architecture,
    head: { channels: 64, extraLevels: 2, towerConvs: 2 },
    anchors: [[[8, 8]], [[16, 16]]],
    transferred,
    classes: shapeNames,
    preprocessing: preprocessingOf(size),
    weights: tensors,
    numParams: 312_000,
    macs: 210_000_000,
    history
  }
  const dataset: PreparedDatasetValue<"detection"> = datasetOf("detection", options, tensors)
  return { evaluation, model, dataset } satisfies Evaluated<"detection", DetectorValue>
})

/** Moved by a few pixels, one shape in eight taken for another class. */
const segmentedFrom = (mask: Uint8Array, size: number, random: RandomStream): Uint8Array => {
  const [dy, dx] = [random.below(5) - 2, random.below(5) - 2]
  const replaced = random.below(8) === 0 ? 1 + random.below(8) : undefined
  return Uint8Array.from(mask, (_, at) => {
    const [y, x] = [Math.floor(at / size) + dy, (at % size) + dx]
    const value = y < 0 || x < 0 || y >= size || x >= size ? 0 : mask[y * size + x]!
    return value === 0 || value === 255 ? 0 : (replaced ?? value)
  })
}

/** The classes of a scene; a frame of ignored pixels on every fourth. */
const classMask = ({ mask, shapes }: Scene, index: number, size: number): Uint8Array =>
  mask.map((value, at) => {
    const edge = Math.min(at % size, size - 1 - (at % size))
    if (index % 4 === 0 && edge < size / 16) return 255
    return value === 0 ? 0 : 1 + shapes[value - 1]!.classIndex
  })

export const evaluatedSegmenter = Effect.fn(function* (options: Options) {
  const blobs = yield* BlobStore
  const { size, numImages } = options
  const scenes = scenesOf(options, 3)
  const random = RandomStream.make(3)
  const labels = scenes.map((scene, index) => classMask(scene, index, size))
  const found = labels.map((mask) => segmentedFrom(mask, size, random))
  const joined = (masks: ReadonlyArray<Uint8Array>) => Uint8Array.from(masks.flatMap((mask) => [...mask]))
  const side = { height: size, width: size }
  const tensors = yield* blobs.put(
    encodeMaskedImages({
      images: imagesOf(scenes),
      masks: joined(labels),
      extents: Int32Array.from({ length: 2 * numImages }, () => size),
      ...side,
      channels: 3
    })
  )
  const pairs = labels.flatMap((mask, index) =>
    [...mask].flatMap((label, at) => (label === 255 ? [] : [[label, found[index]![at]!] as const]))
  )
  const quality = Float32Array.from(labels, (mask, index) => {
    return mask.reduce((sum, label, at) => sum + Number(label === found[index]![at]), 0) / mask.length
  })
  const history = historyOf("meanIoU", 12)
  const evaluation: EvaluationValue<"segmentation"> = {
    _tag: "Evaluation",
    task: "segmentation",
    protocol: `test split, ${numImages} images, sums over the whole set, ignored pixels left out`,
    numExamples: numImages,
    metrics: { meanIoU: 0.6512, pixelAccuracy: 0.9411 },
    perClass: maskClasses.map((name, index) => {
      return { name, iou: index === 8 ? null : 0.9 - 0.06 * index, support: 40_000 - 4000 * index }
    }),
    confusion: countInto(maskClasses.length, pairs),
    predictions: yield* blobs.put(encodeMaskPredictions({ masks: joined(found), ...side, quality })),
    history
  }
  const model: SegmenterValue = {
    _tag: "Segmenter",
    architecture,
    head: { skip: "c3" },
    transferred: { ...transferred, frozen: ["conv1.weight"] },
    classes: maskClasses,
    preprocessing: preprocessingOf(size),
    weights: tensors,
    numParams: 95_000,
    macs: 130_000_000,
    history
  }
  const dataset: PreparedDatasetValue<"segmentation"> = datasetOf("segmentation", options, tensors)
  return { evaluation, model, dataset } satisfies Evaluated<"segmentation", SegmenterValue>
})
