import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { decodeNetpbm } from "../../../../lib/data/formats/netpbm.ts"
import { renderScene } from "../../../../lib/data/scenes/scene.ts"
import { type SceneTask, sceneClasses, sceneExamples } from "../../../../lib/data/scenes/scene-examples.ts"
import { shapeNames } from "../../../../lib/data/scenes/shapes.ts"
import { readBoxShard, readMaskShard, readShard, ShardWriter } from "../../../../lib/data/shards.ts"

/** Small and crowded, so that some shapes are hidden. */
const [seed, size, maxShapes, first, count] = [3, 24, 16, 5, 60]

const shardOf = (task: SceneTask) => {
  const writer = new ShardWriter()
  for (const example of sceneExamples({ task, seed, size, maxShapes, first, count })) writer.add(example)
  return writer.finish()!
}

const scenes = Array.from({ length: count }, (_, at) =>
  renderScene({ seed, index: first + at, size, maxShapes })
)

describe("scenes as examples", () => {
  it.effect("the images are the same for every task, and a label is the class of the first shape", () =>
    Effect.gen(function* () {
      const labelled = yield* readShard("s", shardOf("classification"))
      const boxed = yield* readBoxShard("s", shardOf("detection"))
      const masked = yield* readMaskShard("s", shardOf("segmentation"))
      assert.strictEqual(labelled.length, count)
      for (const [index, { bytes, label }] of labelled.entries()) {
        assert.strictEqual(label, scenes[index]!.shapes[0]!.classIndex)
        assert.deepStrictEqual(boxed[index]!.bytes, bytes)
        assert.deepStrictEqual(masked[index]!.bytes, bytes)
      }
    })
  )

  it.effect("boxes are those of the shapes that show; hardly visible ones are difficult", () =>
    Effect.gen(function* () {
      const boxed = yield* readBoxShard("s", shardOf("detection"))
      const shapes = scenes.map((scene) => scene.shapes.filter(({ visiblePixels }) => visiblePixels > 0))
      assert.deepStrictEqual(
        boxed.map(({ annotation }) => annotation),
        shapes.map((all) => ({
          height: size,
          width: size,
          // 24 * 24 / 400
          boxes: all.map(({ box, classIndex, visiblePixels }) => ({
            box,
            classIndex,
            difficult: visiblePixels < 1.44
          }))
        }))
      )
      const boxes = boxed.flatMap(({ annotation }) => annotation.boxes)
      const hidden = scenes.flatMap((scene) => scene.shapes).length - boxes.length
      assert.deepStrictEqual([boxes.filter(({ difficult }) => difficult).length, hidden], [2, 1])
    })
  )

  it.effect("a mask has background 0 and otherwise the class of what shows, counted from 1", () =>
    Effect.gen(function* () {
      const masked = yield* readMaskShard("s", shardOf("segmentation"))
      for (const [index, { mask }] of masked.entries()) {
        const { channels, height, pixels, width } = Result.getOrThrow(decodeNetpbm(mask.name, mask.bytes))
        assert.deepStrictEqual([height, width, channels], [size, size, 1])
        const scene = scenes[index]!
        scene.shapes.forEach(({ classIndex }, shape) => {
          const under = pixels.filter((_, at) => scene.mask[at] === shape + 1)
          assert.isTrue(under.every((value) => value === classIndex + 1))
        })
        assert.isTrue(pixels.every((value, at) => (value === 0) === (scene.mask[at] === 0)))
      }
    })
  )

  it("classes: eight shapes, for masks background before them", () => {
    assert.deepStrictEqual(sceneClasses("detection"), shapeNames)
    assert.deepStrictEqual(sceneClasses("segmentation"), ["background", ...shapeNames])
  })
})
