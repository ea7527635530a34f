import { assert, describe, it } from "@effect/vitest"
import { chooseExamples } from "../../../lib/charts/choose-examples.ts"

const quality = Float32Array.of(0.9, 0.1, 0.5, 0.1, 1, 0.3, 0.7)
const imagesOf = (chosen: ReturnType<typeof chooseExamples>, choice: string) =>
  chosen.flatMap((one) => (one.choice === choice ? [one.image] : []))

describe("choosing examples", () => {
  it("takes the worst in order, equal ones as they stand, then others, none twice", () => {
    const chosen = chooseExamples(quality, { worst: 3, random: 2, seed: 1 })
    assert.deepStrictEqual(imagesOf(chosen, "worst"), [1, 3, 5])
    const random = imagesOf(chosen, "random")
    assert.lengthOf(random, 2)
    assert.strictEqual(new Set(chosen.map(({ image }) => image)).size, 5)
  })

  it("is a function of the seed", () => {
    const random = (seed: number) =>
      imagesOf(chooseExamples(quality, { worst: 0, random: 7, seed }), "random")
    assert.deepStrictEqual(random(1), random(1))
    assert.notDeepEqual(random(1), random(2))
    assert.deepStrictEqual(random(2).toSorted(), [0, 1, 2, 3, 4, 5, 6])
  })

  it("takes what there is", () => {
    assert.lengthOf(chooseExamples(quality, { worst: 5, random: 5, seed: 0 }), 7)
    assert.deepStrictEqual(chooseExamples(new Float32Array(0), { worst: 5, random: 5, seed: 0 }), [])
  })
})
