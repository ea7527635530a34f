/** Images through a detector; loaded when there is work for it, as `classify.ts`. */
import { Effect } from "effect"
import { makeAnchors } from "../../lib/boxes/anchors.ts"
import type { Detection } from "../../lib/boxes/nms.ts"
import { loadDetector } from "../../lib/models/Detector.ts"
import { decodeWeights } from "../../lib/models/weights.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { detect } from "../../lib/train/evaluate-detector.ts"
import type { DetectorValue } from "../../stages/artifacts.ts"
import { joinedPixels, type PreparedImage } from "./preparedImage.ts"

/** From pixels of the prepared image to those of the file. */
const inFile = ({ extent, height, width }: PreparedImage, { box, ...rest }: Detection): Detection => {
  const [y, x] = [height / extent.rows, width / extent.columns]
  return { ...rest, box: [box[0] * y, box[1] * x, box[2] * y, box[3] * x] }
}

/** What is found in each image with a score above `threshold`, best first, in pixels of the file's image. */
export const detectIn = Effect.fn("detectIn")(function* (
  model: DetectorValue,
  images: ReadonlyArray<PreparedImage>,
  threshold: number
) {
  const { anchors: sizes, architecture, classes, head, preprocessing } = model
  const { height, width, channels } = preprocessing
  const detector = yield* loadDetector({
    architecture,
    imageChannels: channels,
    numClasses: classes.length,
    head,
    anchorsPerCell: sizes[0]!.length
  })
  const levels = detector.levels(height, width).map((level, index) => ({ ...level, sizes: sizes[index]! }))
  const bytes = yield* (yield* BlobStore).get(model.weights)
  const found = yield* detect({
    detector,
    weights: yield* decodeWeights(bytes, detector.weights),
    anchors: makeAnchors({ height, width, levels }),
    dataset: {
      images: joinedPixels(images),
      height,
      width,
      channels,
      extents: Int32Array.from(images.flatMap(({ extent }) => [extent.rows, extent.columns]))
    },
    normalization: preprocessing,
    scoreThreshold: threshold
  })
  return images.map((image, index) => found[index]!.map((detection) => inFile(image, detection)))
})
