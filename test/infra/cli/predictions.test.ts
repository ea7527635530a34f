/** Detectors and segmenters of random weights on image files: what comes back fits them, and is drawn. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { pictureNames } from "../../../infra/cli/predictionPictures.ts"
import { type Prediction, predictionLines, predictionsOf } from "../../../infra/cli/predictions.ts"
import { joinedPixels, prepareImage } from "../../../infra/cli/preparedImage.ts"
import { layer as codecLayer } from "../../../infra/images/SharpImageCodec.ts"
import { portableRuntimeLayer } from "../../../infra/layers.ts"
import { paintFor } from "../../../infra/reporting/paint.ts"
import { classColour } from "../../../lib/charts/class-colours.ts"
import { encodeNetpbm } from "../../../lib/data/formats/netpbm.ts"
import { ImageCodec } from "../../../lib/data/ImageCodec.ts"
import { renderScene } from "../../../lib/data/scenes/scene.ts"
import { loadDetector } from "../../../lib/models/Detector.ts"
import { loadSegmenter } from "../../../lib/models/Segmenter.ts"
import { encodeWeights } from "../../../lib/models/weights.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import type { WeightSpec } from "../../../lib/nn/Weights.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { ModelValue } from "../../../stages/artifacts.ts"
import { blobsLayer } from "../../support/stageServices.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const folder = temporaryFolder()
const layer = Layer.mergeAll(blobsLayer, codecLayer, portableRuntimeLayer)
const classes = ["background", "cat", "dog"]
const architecture = { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" } as const
const preprocessing = {
  height: 32,
  width: 32,
  channels: 3,
  fit: "pad",
  mean: [0.25, 0.5, 1],
  std: [0.2, 0.2, 0.2]
} as const
const transferred = { taken: [], fresh: [], frozen: [], unused: [] }
const common = { architecture, classes, preprocessing, transferred, numParams: 1, macs: 1, history: [] }

const stored = Effect.fn(function* (specs: ReadonlyArray<WeightSpec>) {
  const weights = initializeWeights(specs, "torch-default", RandomStream.make(1))
  return yield* (yield* BlobStore).put(encodeWeights(weights))
})

const detector = Effect.gen(function* () {
  const head = { channels: 8, extraLevels: 0, towerConvs: 0 }
  const options = { architecture, imageChannels: 3, numClasses: 3, head, anchorsPerCell: 1 }
  const network = yield* loadDetector(options)
  const anchors = network.levels(32, 32).map(({ stride }) => [[4 * stride, 4 * stride] as const])
  const weights = yield* stored(network.weights)
  return { _tag: "Detector", ...common, head, anchors, weights } satisfies ModelValue
})

const segmenter = Effect.gen(function* () {
  const head = { skip: "c3" } as const
  const network = yield* loadSegmenter({ architecture, imageChannels: 3, numClasses: 3, head })
  return { _tag: "Segmenter", ...common, head, weights: yield* stored(network.weights) } satisfies ModelValue
})

/** The upper half of a scene, twice as wide as it is high. */
const wide = join(folder, "wide.ppm")
const scene = renderScene({ seed: 1, index: 2, size: 100, maxShapes: 2 }).image
writeFileSync(
  wide,
  encodeNetpbm({ ...scene, height: 50, pixels: scene.pixels.subarray(0, scene.pixels.length / 2) })
)
const square = join(folder, "square.ppm")
writeFileSync(square, encodeNetpbm(renderScene({ seed: 1, index: 3, size: 32, maxShapes: 2 }).image))

const predicted = Effect.fn(function* (model: ModelValue, files: ReadonlyArray<string>, threshold = 0) {
  const images = yield* Effect.forEach(files, (file) => prepareImage(file, model.preprocessing))
  const names = pictureNames(files, "model")
  return yield* predictionsOf(model, { images, folder: join(folder, "made"), names, threshold })
})

const decoded = Effect.fn(function* (file: string, channels: 1 | 3) {
  const { readFileSync } = yield* Effect.promise(() => import("node:fs"))
  return yield* (yield* ImageCodec).decode(file, readFileSync(file), channels)
})

const shown = (prediction: Prediction) =>
  predictionLines(prediction, (file) => basename(file), paintFor(false))

it.layer(layer)("an image file for a network", (it) => {
  it.effect("keeps its aspect, with the mean colour below and right of it", () =>
    Effect.gen(function* () {
      const { extent, height, pixels, width } = yield* prepareImage(wide, preprocessing)
      assert.deepStrictEqual([height, width, extent], [50, 100, { rows: 16, columns: 32 }])
      assert.strictEqual(pixels.length, 32 * 32 * 3)
      for (const y of [16, 24, 31]) {
        assert.deepStrictEqual([...pixels.subarray(3 * 32 * y, 3 * 32 * y + 3)], [64, 128, 255])
      }
      const first = yield* prepareImage(square, preprocessing)
      assert.deepStrictEqual(
        [...joinedPixels([first, { ...first, pixels: pixels }]).subarray(-3)],
        [64, 128, 255]
      )
    })
  )

  it.effect("is stretched where the network was trained so", () =>
    Effect.gen(function* () {
      const { extent } = yield* prepareImage(wide, { ...preprocessing, fit: "stretch" })
      assert.deepStrictEqual(extent, { rows: 32, columns: 32 })
    })
  )

  it.effect("has a picture name of its own", () =>
    Effect.sync(() => {
      assert.deepStrictEqual(pictureNames(["a/x.png", "b/x.jpg", "x.y.png"], "d"), ["x-d", "x-d-2", "x.y-d"])
    })
  )
})

it.layer(layer)("a detector's prediction", (it) => {
  it.effect("has boxes in pixels of the file, best first, drawn into a picture", () =>
    Effect.gen(function* () {
      const model = yield* detector
      const [one, two] = yield* predicted(model, [wide, square])
      if (one === undefined || !("boxes" in one) || two === undefined || !("boxes" in two)) {
        return assert.fail("a detector predicts boxes")
      }
      assert.deepStrictEqual([one.height, one.width], [50, 100])
      assert.isAbove(one.boxes.length, 5)
      const scores = one.boxes.map(({ score }) => score)
      assert.deepStrictEqual(
        scores,
        scores.toSorted((a, b) => b - a)
      )
      for (const { box, class: name } of one.boxes) {
        const [y1, x1, y2, x2] = box as [number, number, number, number]
        assert.isTrue(0 <= y1 && y1 < y2 && y2 <= 50 && 0 <= x1 && x1 < x2 && x2 <= 100, String(box))
        assert.include(classes, name)
      }
      // Boxes reach into the right third of the file, which 32 columns of a stretched image would not name.
      assert.isTrue(one.boxes.some(({ box }) => box[3]! > 67))
      assert.strictEqual(one.overlay, join(folder, "made", "wide-model.png"))
      const picture = yield* decoded(one.overlay, 3)
      assert.deepStrictEqual([picture.height, picture.width], [400, 800])
      const colour = classColour(classes.indexOf(one.boxes[0]!.class))
      const found = Array.from({ length: 400 * 800 }, (_, at) => picture.pixels.subarray(3 * at, 3 * at + 3))
      assert.isTrue(found.some((pixel) => pixel.every((value, channel) => value === colour[channel])))
      assert.deepStrictEqual((yield* decoded(two.overlay, 3)).height, 800)
    })
  )

  it.effect("leaves out what is below the threshold, and says so where nothing is left", () =>
    Effect.gen(function* () {
      const [none] = yield* predicted(yield* detector, [wide], 0.999)
      assert.deepStrictEqual(shown(none!), ["nothing was found", "drawn  wide-model.png"])
      assert.deepStrictEqual(
        shown({
          height: 5,
          width: 5,
          boxes: [{ class: "cat", score: 0.9712, box: [0.4, 1.6, 3, 12] }],
          overlay: "/x/y.png"
        }),
        [
          "  score  class  top  left  bottom  right",
          "97.12 %  cat      0     2       3     12",
          "drawn  y.png"
        ]
      )
    })
  )
})

it.layer(layer)("a segmenter's prediction", (it) => {
  it.effect("has shares, a picture and a mask of the file's size", () =>
    Effect.gen(function* () {
      const [one] = yield* predicted(yield* segmenter, [wide])
      if (one === undefined || !("shares" in one)) return assert.fail("a segmenter predicts shares")
      const sum = one.shares.reduce((total, { share }) => total + share, 0)
      assert.approximately(sum, 1, 1e-9)
      const mask = yield* decoded(one.mask, 1)
      assert.deepStrictEqual([mask.height, mask.width], [50, 100])
      for (const { class: name, share } of one.shares) {
        const count = mask.pixels.filter((value) => value === classes.indexOf(name)).length
        assert.strictEqual(count / 5000, share)
      }
      const picture = yield* decoded(one.overlay, 3)
      // Eight times as large, and the names of the classes below.
      assert.strictEqual(picture.width, 800)
      assert.isAbove(picture.height, 400)
      assert.match(shown(one)[0]!, /pixels +class/)
      assert.deepStrictEqual(shown(one).slice(-2), ["drawn  wide-model.png", "mask   wide-model-mask.png"])
    })
  )

  it.effect("fails where the pictures cannot be written, and says what to do", () =>
    Effect.gen(function* () {
      const model = yield* segmenter
      const images = [yield* prepareImage(square, preprocessing)]
      const blocked = join(folder, "blocked")
      mkdirSync(blocked)
      writeFileSync(join(blocked, "file"), "")
      const options = { images, folder: join(blocked, "file"), names: ["x"], threshold: 0 }
      const error = yield* Effect.flip(predictionsOf(model, options))
      assert.strictEqual(error._tag, "PictureNotWritten")
      assert.match(error.message, /Name another folder by --output/)
      assert.isFalse(existsSync(join(blocked, "file", "x.png")))
    })
  )
})
