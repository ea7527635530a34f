/**
 * Detector and segmenter against torchvision's parts, with the same weights and pixels: see
 * `test/golden/dense-models/make.py`.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../infra/tensorflow/portable/wasm.ts"
import { loadBackbone } from "../../../lib/models/backbones/index.ts"
import { makeDetector } from "../../../lib/models/Detector.ts"
import { makePyramid } from "../../../lib/models/necks/fpn.ts"
import { makeSegmenter } from "../../../lib/models/Segmenter.ts"
import { evaluation } from "../../../lib/nn/Mode.ts"
import { sizeOf, type WeightSpec, type WeightTensors } from "../../../lib/nn/Weights.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { readGolden } from "../../support/golden.ts"

interface Values {
  readonly shape: ReadonlyArray<number>
  readonly values: ReadonlyArray<number>
}

interface Model {
  readonly weights: Readonly<Record<string, ReadonlyArray<number>>>
  readonly parameters: number
  readonly macs: number
  readonly logits: Values
}

const golden = readGolden<{
  readonly height: number
  readonly width: number
  readonly detector: Model & {
    readonly c5: Values
    readonly levels: ReadonlyArray<Values>
    readonly deltas: Values
  }
  readonly segmenter: Model & { readonly scores: Values }
}>("dense-models")

beforeAll(() => Effect.runPromise(startWasm))

/** make.py's `numbers`: whole numbers below 2^53 throughout. */
const numbers = (name: string, count: number): Float32Array => {
  const offset = [...name].reduce((sum, letter, place) => sum + letter.charCodeAt(0) * (place + 1), 0)
  return Float32Array.from(
    { length: count },
    (_, i) => ((31 * i * i + 7919 * i + offset) % 10007) / 10007 - 0.5
  )
}

const tensorOf = ({ name, shape }: WeightSpec): tf.Tensor => {
  const values = numbers(name, sizeOf(shape))
  const scale = shape.length === 4 ? Math.sqrt(24 / sizeOf(shape.slice(0, 3))) : 1
  const shift = shape.length === 1 && /(weight|running_var)$/.test(name) ? 1 : 0
  return tf.tensor(
    values.map((value) => value * scale + shift),
    [...shape]
  )
}

const tensorsOf = (specs: ReadonlyArray<WeightSpec>): WeightTensors =>
  Object.fromEntries(specs.map((spec) => [spec.name, tensorOf(spec)]))

const { height, width } = golden
const images = () => tf.tensor4d(numbers("images", height * width * 3), [1, height, width, 3])

const assertEqual = (actual: tf.Tensor, expected: Values) => {
  assert.deepStrictEqual(actual.shape, [...expected.shape])
  const scale = expected.values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  for (const [i, value] of actual.dataSync().entries()) {
    assert.approximately(value, expected.values[i]!, 2e-5 * scale)
  }
}

const backbone = loadBackbone({ family: "resnet", depth: 10, width: 64 }, 3)

const shapesOf = (specs: ReadonlyArray<WeightSpec>) =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, [...shape]]))

describe("as torchvision's", () => {
  it.effect("the detector: names, shapes, counts, pyramid, logits and deltas", () =>
    Effect.map(backbone, (made) => {
      const head = { channels: 8, extraLevels: 2, towerConvs: 4 }
      const detector = makeDetector({ backbone: made, numClasses: 3, anchorsPerCell: 2, head })
      const expected = golden.detector
      assert.deepStrictEqual(shapesOf(detector.weights), expected.weights)
      assert.strictEqual(detector.parameters, expected.parameters)
      assert.strictEqual(detector.macs(height, width), expected.macs)
      tf.tidy(() => {
        const weights = tensorsOf(detector.weights)
        const features = made.apply(weights, images(), evaluation)
        assertEqual(tf.mean(features.c5!, 3, true), expected.c5)
        const levels = makePyramid({ ...head, backbone: made }).apply(weights, features)
        for (const [i, level] of levels.entries()) assertEqual(level, expected.levels[i]!)
        const { deltas, logits } = detector.apply(weights, images(), evaluation)
        assertEqual(logits, expected.logits)
        assertEqual(deltas, expected.deltas)
      })
    })
  )

  it.effect("the segmenter: names, shapes, counts, and logits at every third row and fifth column", () =>
    Effect.map(backbone, (made) => {
      const segmenter = makeSegmenter({ backbone: made, numClasses: 3, head: { skip: "c3" } })
      const expected = golden.segmenter
      assert.deepStrictEqual(shapesOf(segmenter.weights), expected.weights)
      assert.strictEqual(segmenter.parameters, expected.parameters)
      assert.strictEqual(segmenter.macs(height, width), expected.macs)
      tf.tidy(() => {
        const weights = tensorsOf(segmenter.weights)
        assertEqual(segmenter.applyCoarse(weights, images(), evaluation), expected.scores)
        const logits = segmenter.apply(weights, images(), evaluation)
        assertEqual(tf.stridedSlice(logits, [0, 0, 0, 0], logits.shape, [1, 3, 5, 1]), expected.logits)
      })
    })
  )
})
