/**
 * Eight scenes with boxes and masks, and a classifier that was never trained: what transfer stages start
 * from.
 */
import { Effect } from "effect"
import { encodeBoxedImages } from "../../lib/data/boxed-images.ts"
import { channelStatistics } from "../../lib/data/channel-statistics.ts"
import { encodeMaskedImages } from "../../lib/data/masked-images.ts"
import { renderScene } from "../../lib/data/scenes/scene.ts"
import { shapeNames } from "../../lib/data/scenes/shapes.ts"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { encodeWeights } from "../../lib/models/weights.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import type { ClassifierValue, Preprocessing } from "../../stages/artifacts.ts"

const numScenes = 8

const scenesOf = (size: number, maxShapes: number) => {
  const scenes = Array.from({ length: numScenes }, (_, index) =>
    renderScene({ seed: 3, index, size, maxShapes })
  )
  const images = new Uint8Array(numScenes * size * size * 3)
  scenes.forEach(({ image }, index) => {
    images.set(image.pixels, index * image.pixels.length)
  })
  const shape = { height: size, width: size, channels: 3 } as const
  return { scenes, pixels: { images, ...shape }, preprocessing: preprocessingOf(images, size) }
}

const preprocessingOf = (images: Uint8Array, size: number) =>
  ({ height: size, width: size, channels: 3, fit: "pad", ...channelStatistics(images, 3) }) as const

export const storedClassifier = Effect.fnUntraced(function* (architecture: Architecture) {
  const numClasses = shapeNames.length
  const classifier = yield* loadClassifier({ architecture, imageChannels: 3, numClasses })
  const weights = initializeWeights(classifier.weights, "torch-default", RandomStream.make(1, "classifier"))
  return {
    _tag: "Classifier",
    architecture,
    classes: shapeNames,
    preprocessing: { height: 64, width: 64, channels: 3, fit: "pad", mean: [0, 0, 0], std: [1, 1, 1] },
    weights: yield* (yield* BlobStore).put(encodeWeights(weights)),
    numParams: classifier.parameters,
    macs: classifier.macs(64, 64),
    history: []
  } satisfies ClassifierValue
})

const dataset = <T extends "detection" | "segmentation">(
  task: T,
  classes: ReadonlyArray<string>,
  preprocessing: Preprocessing,
  bytes: Uint8Array
) =>
  Effect.gen(function* () {
    const split = { numExamples: numScenes, tensors: yield* (yield* BlobStore).put(bytes) }
    return {
      _tag: "PreparedDataset" as const,
      task,
      classes,
      preprocessing,
      train: split,
      validation: split,
      test: split,
      quarantined: [],
      counts: {}
    }
  })

/** Extents of scenes without padding. */
const wholeImages = (size: number) => Int32Array.from({ length: 2 * numScenes }, () => size)

export const storedBoxes = Effect.suspend(() => {
  const { pixels, preprocessing, scenes } = scenesOf(64, 3)
  const shapes = scenes.flatMap((scene) => scene.shapes)
  let end = 0
  return dataset(
    "detection",
    shapeNames,
    preprocessing,
    encodeBoxedImages({
      ...pixels,
      boxes: Float32Array.from(shapes.flatMap(({ box }) => box)),
      classes: Int32Array.from(shapes, ({ classIndex }) => classIndex),
      difficult: new Uint8Array(shapes.length),
      offsets: Int32Array.from([0, ...scenes.map((scene) => (end += scene.shapes.length))]),
      extents: wholeImages(pixels.height)
    })
  )
})

/** Background is class 0; the mask of a scene numbers its shapes from 1. */
export const storedMasks = Effect.suspend(() => {
  const { pixels, preprocessing, scenes } = scenesOf(144, 1)
  const masks = new Uint8Array(numScenes * pixels.height * pixels.width)
  scenes.forEach(({ mask, shapes }, index) => {
    masks.set(
      mask.map((value) => (value === 0 ? 0 : shapes[value - 1]!.classIndex + 1)),
      index * mask.length
    )
  })
  const classes = ["background", ...shapeNames]
  const extents = wholeImages(pixels.height)
  return dataset("segmentation", classes, preprocessing, encodeMaskedImages({ ...pixels, masks, extents }))
})
