/** Against torchvision's operations on Pillow's images: `test/golden/augment/make.py`. */
import { assert, describe, it } from "@effect/vitest"
import { type AutoAugment, autoAugmenter, operationsOf } from "../../../../lib/data/augment/auto-augment.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { readGolden } from "../../../support/golden.ts"

interface Bytes {
  readonly height: number
  readonly width: number
  readonly bytes: string
}

const golden = readGolden<{
  readonly part: Bytes
  readonly large: Bytes
  readonly operations: ReadonlyArray<{
    readonly kind: AutoAugment["kind"]
    readonly name: string
    readonly magnitude: number
    readonly bytes: string
  }>
}>("augment")

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"))

/**
 * torchvision makes an angle of a shear and a tangent of that: fractions near a whole number may fall
 * below it.
 */
const levelsOff = (name: string) => (name.startsWith("shear") ? 1 : 0)

const applied = (kind: AutoAugment["kind"], name: string, magnitude: number, image: Bytes) => {
  const source = bytesOf(image.bytes)
  const target = new Uint8Array(source.length).fill(7)
  const operation = operationsOf(kind).find((one) => one.name === name)!
  operation.apply({ source, target, size: { ...image, channels: 3 } }, magnitude)
  return target
}

describe("operations of RandAugment and TrivialAugment", () => {
  it("are torchvision's, each in several ways", () => {
    for (const kind of ["rand-augment", "trivial-augment"] as const) {
      const names = operationsOf(kind).map(({ name }) => name)
      const tested = new Set(golden.operations.filter((one) => one.kind === kind).map(({ name }) => name))
      assert.deepStrictEqual([...tested].sort(), [...names].sort())
    }
    assert.strictEqual(golden.operations.length, 66)
  })

  for (const { bytes, kind, magnitude, name } of golden.operations) {
    it(`have Pillow's bytes: ${kind}, ${name} ${magnitude}`, () => {
      const image = ["autocontrast", "equalize"].includes(name) ? golden.large : golden.part
      const made = applied(kind, name, magnitude, image)
      const wanted = bytesOf(bytes)
      assert.strictEqual(made.length, wanted.length)
      const off = wanted.map((value, at) => Math.abs(value - made[at]!))
      assert.isAtMost(Math.max(...off), levelsOff(name))
      assert.isAtMost(off.filter((difference) => difference > 0).length, wanted.length / 100)
    })
  }

  it("treat grey images as they treat grey pixels in three channels", () => {
    const random = RandomStream.make(2)
    const grey = Uint8Array.from({ length: 30 * 26 }, () => random.below(200))
    const rgb = grey.length * 3
    const spread = Uint8Array.from({ length: rgb }, (_, at) => grey[Math.floor(at / 3)]!)
    const size = { height: 30, width: 26 }
    for (const { apply, name } of operationsOf("trivial-augment")) {
      const [one, three] = [new Uint8Array(grey.length), new Uint8Array(rgb)]
      apply({ source: grey, target: one, size: { ...size, channels: 1 } }, 20)
      apply({ source: spread, target: three, size: { ...size, channels: 3 } }, 20)
      assert.deepStrictEqual(
        one,
        three.filter((_, at) => at % 3 === 1),
        name
      )
    }
  })
})

const size = { height: 16, width: 13, channels: 3 }
const madeBy = (params: AutoAugment, key: number) => {
  const image = bytesOf(golden.part.bytes)
  autoAugmenter(params, size)(image, RandomStream.make(1, key))
  return image
}
const rand = { kind: "rand-augment", ops: 1, magnitude: 9, std: 0 } as const

/** How often each result comes, of so many draws. */
const outcomes = (params: AutoAugment, count: number) => {
  const counts = new Map<string, number>()
  for (let key = 0; key < count; key++) {
    const outcome = Buffer.from(madeBy(params, key)).toString("base64")
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
  return [...counts.values()]
}

describe("RandAugment", () => {
  it("draws each operation and each sign as often", () => {
    // 14 operations, nine of them with two signs; autocontrast and equalize change nothing of this image.
    const counts = outcomes(rand, 2800).sort((a, b) => b - a)
    assert.strictEqual(counts.length, 14 + 9 - 2)
    // Identity, autocontrast and equalize; then posterize and solarize; then one sign of the others.
    assert.approximately(counts[0]!, 600, 70)
    for (const count of counts.slice(1, 3)) assert.approximately(count, 200, 45)
    for (const count of counts.slice(3)) assert.approximately(count, 100, 35)
  })

  it("applies as many operations as it is told, and is a function of its stream", () => {
    assert.isAbove(outcomes({ ...rand, ops: 2 }, 300).length, 100)
    assert.deepStrictEqual(madeBy({ ...rand, ops: 3 }, 5), madeBy({ ...rand, ops: 3 }, 5))
  })

  it("varies magnitudes where there is a deviation", () =>
    assert.isAbove(outcomes({ ...rand, std: 2 }, 300).length, 100))
})

describe("TrivialAugment", () => {
  it("draws one operation of any magnitude", () => {
    // Magnitude 0 changes nothing, of most operations.
    const numOutcomes = outcomes({ kind: "trivial-augment" }, 3000).length
    assert.isAbove(numOutcomes, 200)
    assert.isAtMost(numOutcomes, 14 * 61)
  })
})
