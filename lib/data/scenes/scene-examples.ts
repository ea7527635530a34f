/** Scenes as examples of a task: with the class of their one shape, with boxes, or with a mask. */
import { encodeNetpbm } from "../formats/netpbm.ts"
import type { Annotation, Example } from "../shards.ts"
import { renderScene, type Scene } from "./scene.ts"
import { shapeNames } from "./shapes.ts"

export type SceneTask = "classification" | "detection" | "segmentation"

export interface SceneExamplesOptions {
  readonly task: SceneTask
  readonly seed: number
  readonly size: number
  readonly maxShapes: number
  readonly first: number
  readonly count: number
}

/** What the labels of a task are called; class 0 of a mask is where no shape is. */
export const sceneClasses = (task: SceneTask): ReadonlyArray<string> =>
  task === "segmentation" ? ["background", ...shapeNames] : shapeNames

/** Of so few pixels that nobody could name the shape: it is neither asked for nor background. */
const isHidden = (visiblePixels: number, size: number): boolean => visiblePixels < size ** 2 / 400

const annotationOf = ({ shapes }: Scene, size: number): Annotation => ({
  height: size,
  width: size,
  boxes: shapes
    .filter(({ visiblePixels }) => visiblePixels > 0)
    .map(({ box, classIndex, visiblePixels }) => ({
      box,
      classIndex,
      difficult: isHidden(visiblePixels, size)
    }))
})

/** The scene's mask numbers its shapes from 1; here every pixel has its class. */
const maskOf = ({ mask, shapes }: Scene, size: number): Uint8Array =>
  encodeNetpbm({
    pixels: mask.map((shape) => (shape === 0 ? 0 : shapes[shape - 1]!.classIndex + 1)),
    height: size,
    width: size,
    channels: 1
  })

export function* sceneExamples(options: SceneExamplesOptions): Generator<Example> {
  const { count, first, maxShapes, seed, size, task } = options
  for (let index = first; index < first + count; index++) {
    const scene = renderScene({ seed, index, size, maxShapes })
    const image = { name: "scene.ppm", bytes: encodeNetpbm(scene.image) }
    switch (task) {
      case "classification":
        yield { ...image, label: scene.shapes[0]!.classIndex }
        break
      case "detection":
        yield { ...image, annotation: annotationOf(scene, size) }
        break
      case "segmentation":
        yield { ...image, mask: { name: "mask.pgm", bytes: maskOf(scene, size) } }
    }
  }
}
