/** Images to begin with for those who have none: rendered shapes, a folder for each. */
import { Effect } from "effect"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"
import { renderScene } from "../../lib/data/scenes/scene.ts"
import { type ShapeName, shapeNames } from "../../lib/data/scenes/shapes.ts"

export interface SampleImage {
  /** From the folder of images: `circle/000.png`. */
  readonly path: string
  readonly bytes: Uint8Array
}

/** So few images teach three shapes better than all eight. */
const shapes: ReadonlyArray<ShapeName> = ["circle", "cross", "bar"]
const numEach = 60
const sizePixels = 32
const seed = 11

/** Equal on every machine. */
export const sampleImages = Effect.fn("sampleImages")(function* () {
  const codec = yield* ImageCodec
  const scenes = Array.from({ length: numEach * shapeNames.length }, (_, index) =>
    renderScene({ seed, index, size: sizePixels, maxShapes: 1 })
  )
  const encoded = yield* Effect.forEach(shapes, (shape) =>
    Effect.forEach(
      scenes.filter((scene) => shapeNames[scene.shapes[0]!.classIndex] === shape),
      ({ image }, index) =>
        Effect.map(codec.encodePng(image), (bytes) => ({
          path: `${shape}/${String(index).padStart(3, "0")}.png`,
          bytes
        }))
    )
  )
  return encoded.flat() satisfies ReadonlyArray<SampleImage>
})
