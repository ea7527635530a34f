import { assert, describe, it } from "@effect/vitest"
import {
  linearShift,
  noColourShift,
  pcaNoise,
  randomColourShift
} from "../../../../lib/data/augment/colour-shift.ts"
import { recolour } from "../../../../lib/data/augment/recolour.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { assertClose } from "../../../support/golden.ts"

const plain = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] }

const recoloured = (
  pixels: ReadonlyArray<number>,
  factors: Partial<typeof noColourShift>,
  options: { readonly noise?: ReadonlyArray<number>; readonly cut?: boolean } = {}
) => {
  const image = Float32Array.from(pixels)
  const all = { ...noColourShift, ...factors }
  const { cut = false, noise = [0, 0, 0] } = options
  recolour({ image, channels: 3, factors: all, noise, cut, normalization: plain })
  return [...image]
}

describe("colours", () => {
  it("stay where all factors are 1", () => assertClose(recoloured([10, 200, 30], {}), [10, 200, 30], 1e-6))

  it("get brighter by a factor, beyond 255 unless they are cut", () => {
    assertClose(recoloured([10, 200, 30], { brightness: 1.4 }), [14, 280, 42], 1e-6)
    assertClose(recoloured([10, 200, 30], { brightness: 1.4 }, { cut: true }), [14, 255, 42], 1e-6)
  })

  it("move from their own grey by a factor of saturation", () => {
    const grey = 0.299 * 100 + 0.587 * 50 + 0.114 * 0
    const wanted = [100, 50, 0].map((value) => grey + 0.6 * (value - grey))
    assertClose(recoloured([100, 50, 0], { saturation: 0.6 }), wanted, 1e-6)
  })

  it("move from the image's mean grey by a factor of contrast, after brightness", () => {
    // Greys 50 and 100, twice as bright 100 and 200, in the middle 150.
    const wanted = [50, 100].flatMap((grey) => {
      const value = 150 + 0.5 * (2 * grey - 150)
      return [value, value, value]
    })
    assertClose(recoloured([50, 50, 50, 100, 100, 100], { brightness: 2, contrast: 0.5 }), wanted, 1e-6)
  })

  it("turn as MXNet's HueJitterAug turns them", () => {
    // ityiq · turn(0.3 π) · tyiq · (100, 50, 20), by numpy with MXNet's rounded matrices.
    const turned = recoloured([100, 50, 20], { hue: 1.3 })
    assertClose(turned, [103.072, 34.365, 92.519], 3e-3)
    // Grey has no hue, and turning keeps grey.
    assertClose(recoloured([70, 70, 70], { hue: 0.6 }), [70, 70, 70], 1e-6)
    assert.approximately(0.299 * turned[0]! + 0.587 * turned[1]! + 0.114 * turned[2]!, 61.53, 1e-3)
  })

  it("are hue, saturation and brightness for the paper, brightness, contrast, saturation for GluonCV", () => {
    const drawn = (kind: "paper" | "gluoncv", index: number) =>
      randomColourShift(RandomStream.make(3, index), { kind, strength: 0.4 })
    for (let index = 0; index < 500; index++) {
      const paper = drawn("paper", index)
      const gluoncv = drawn("gluoncv", index)
      assert.strictEqual(paper.contrast, 1)
      assert.strictEqual(gluoncv.hue, 1)
      for (const factor of [...Object.values(paper), ...Object.values(gluoncv)]) {
        assert.isTrue(factor >= 0.6 && factor <= 1.4)
      }
    }
  })

  it("are one matrix, whatever of them changes", () => {
    const { matrix, ofMeanGrey } = linearShift(noColourShift)
    assert.deepStrictEqual(matrix, [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1]
    ])
    assert.strictEqual(ofMeanGrey, 0)
  })
})

describe("noise along principal colours", () => {
  it("has the variances and covariances of the directions it is made of", () => {
    const count = 20_000
    const drawn = Array.from({ length: count }, (_, index) => pcaNoise(RandomStream.make(9, index), 0.1))
    const covariance = (a: number, b: number) =>
      drawn.reduce((sum, noise) => sum + noise[a]! * noise[b]!, 0) / count
    // sum over k of (0.1 · eigenvalue k)² · vector[a][k] · vector[b][k]
    const values = [55.46, 4.794, 1.148]
    const vectors = [
      [-0.5675, 0.7192, 0.4009],
      [-0.5808, -0.0045, -0.814],
      [-0.5836, -0.6948, 0.4203]
    ]
    for (const a of [0, 1, 2]) {
      for (const b of [0, 1, 2]) {
        const wanted = values.reduce(
          (sum, value, k) => sum + (0.1 * value) ** 2 * vectors[a]![k]! * vectors[b]![k]!,
          0
        )
        assert.approximately(covariance(a, b), wanted, 0.4, `${a} ${b}`)
      }
    }
  })

  it("is the same for all pixels of an image", () =>
    assertClose(recoloured([1, 2, 3, 4, 5, 6], {}, { noise: [7, 8, 9] }), [8, 10, 12, 11, 13, 15], 1e-6))
})
