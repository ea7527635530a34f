import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { digestOf } from "../../../../infra/hashing.ts"
import { renderScene } from "../../../../lib/data/scenes/scene.ts"
import { shapeNames } from "../../../../lib/data/scenes/shapes.ts"

const scenes = (count: number, size: number, maxShapes: number) =>
  Array.from({ length: count }, (_, index) => renderScene({ seed: 7, index, size, maxShapes }))

describe("scenes", () => {
  it("the pixels of a seed never change", () => {
    // Printed by this very expression when the renderer was written: another value means another dataset.
    const pixels = Buffer.concat(scenes(16, 32, 1).map(({ image }) => image.pixels))
    assert.strictEqual(
      digestOf(pixels),
      "sha256:29e54863248c1e8c599db3ba5a073f7ce9c7bce765371a098e902caf32dbb428"
    )
    const many = scenes(8, 96, 5)
    const bytes = Buffer.concat(many.flatMap(({ image, mask }) => [image.pixels, mask]))
    const golden = "sha256:ed058e68ed1d7fd4db66c06c31f40522c15b2a38ab33b36b8db8f5abd3c837b5"
    assert.strictEqual(digestOf(bytes), golden)
  })

  it("any range of indices is balanced, and each image has its one shape", () => {
    const rendered = scenes(24, 32, 1)
    assert.deepStrictEqual(
      rendered.map(({ shapes }) => shapes.map(({ class: name }) => name)),
      rendered.map((_, index) => [shapeNames[index % 8]!])
    )
  })

  it("boxes enclose exactly what the mask shows, and nothing else is in the mask", () => {
    for (const { shapes, mask, image } of scenes(40, 64, 5)) {
      const values = new Set(mask)
      values.delete(0)
      for (const value of values) assert.isAtMost(value, shapes.length)
      shapes.forEach(({ box: [y1, x1, y2, x2], visiblePixels }, shape) => {
        const at = [...mask.keys()].filter((index) => mask[index] === shape + 1)
        assert.strictEqual(at.length, visiblePixels)
        if (at.length === 0) return
        const [rows, columns] = [
          at.map((index) => Math.floor(index / image.width)),
          at.map((index) => index % image.width)
        ]
        assert.deepStrictEqual(
          [y1, x1, y2, x2],
          [Math.min(...rows), Math.min(...columns), Math.max(...rows) + 1, Math.max(...columns) + 1]
        )
      })
    }
  })

  it("shapes are large enough to be told apart", () => {
    const visible = scenes(400, 32, 1).map(({ shapes }) => shapes[0]!.visiblePixels)
    assert.isAbove(Math.min(...visible), 24)
  })

  it.effect("neither seed nor index repeats a scene", () =>
    Effect.sync(() => {
      const digests = [...scenes(64, 16, 1), renderScene({ seed: 8, index: 0, size: 16, maxShapes: 1 })]
      assert.strictEqual(new Set(digests.map(({ image }) => digestOf(image.pixels))).size, 65)
    })
  )
})
