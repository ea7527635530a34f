/** Images through a segmenter; loaded when there is work for it, as `classify.ts`. */
import { Effect } from "effect"
import { loadSegmenter } from "../../lib/models/Segmenter.ts"
import { decodeWeights } from "../../lib/models/weights.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { segment } from "../../lib/train/evaluate-segmenter.ts"
import type { SegmenterValue } from "../../stages/artifacts.ts"
import { joinedPixels, type PreparedImage } from "./preparedImage.ts"

/** A prepared image's mask, padding left off, at the size of the file's image: the nearest pixel decides. */
const inFile = (
  { extent, height, width }: PreparedImage,
  prepared: { readonly mask: Uint8Array; readonly width: number }
): Uint8Array => {
  const mask = new Uint8Array(height * width)
  const under = (at: number, cells: number, pixels: number) => Math.floor(((at + 0.5) * cells) / pixels)
  const columns = Int32Array.from({ length: width }, (_, x) => under(x, extent.columns, width))
  for (let y = 0; y < height; y++) {
    const row = under(y, extent.rows, height) * prepared.width
    for (let x = 0; x < width; x++) mask[y * width + x] = prepared.mask[row + columns[x]!]!
  }
  return mask
}

/** The class of every pixel of each file's image, `[height × width]`. */
export const segmentIn = Effect.fn("segmentIn")(function* (
  model: SegmenterValue,
  images: ReadonlyArray<PreparedImage>
) {
  const { architecture, classes, head, preprocessing } = model
  const { height, width, channels } = preprocessing
  const segmenter = yield* loadSegmenter({
    architecture,
    imageChannels: channels,
    numClasses: classes.length,
    head
  })
  const bytes = yield* (yield* BlobStore).get(model.weights)
  const masks = yield* segment({
    segmenter,
    weights: yield* decodeWeights(bytes, segmenter.weights),
    dataset: { images: joinedPixels(images), height, width, channels },
    normalization: preprocessing
  })
  const size = height * width
  return images.map((image, index) =>
    inFile(image, { mask: masks.subarray(index * size, (index + 1) * size), width })
  )
})
