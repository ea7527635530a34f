import { assert, describe, it } from "@effect/vitest"
import { isUnchanged, randomColourFactors } from "../../../../lib/data/augment/colour-jitter.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

describe("randomColourFactors", () => {
  it("are 1 where nothing is asked for", () =>
    assert.isTrue(
      isUnchanged(randomColourFactors(RandomStream.make(1), { brightness: 0, contrast: 0, saturation: 0 }))
    ))

  it("fill their ranges, each its own", () => {
    const params = { brightness: 0.4, contrast: 0.2, saturation: 1 }
    const drawn = Array.from({ length: 500 }, (_, index) =>
      randomColourFactors(RandomStream.make(1, index), params)
    )
    for (const name of ["brightness", "contrast", "saturation"] as const) {
      const factors = drawn.map((factors) => factors[name])
      const deviation = params[name]
      assert.approximately(Math.min(...factors), 1 - deviation, deviation / 20)
      assert.approximately(Math.max(...factors), 1 + deviation, deviation / 20)
      assert.isTrue(factors.every((factor) => Math.abs(factor - 1) <= deviation))
    }
  })
})
