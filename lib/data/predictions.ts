/**
 * What a model said of every image of a test split ↔ its safetensors bytes: what pictures are drawn from.
 *
 * `quality` `[N]`, 0…1, says how well an image came out, by the measure of its task: the worst are those of
 * least quality.
 */
import { Effect } from "effect"
import {
  type ArrayValues,
  decodeSafetensors,
  encodeSafetensors,
  SafetensorsError
} from "../models/safetensors.ts"

export interface ClassPredictions {
  /** The most probable class of each image, `[N]`. */
  readonly classes: Int32Array
  /** Its probability, `[N]`. */
  readonly probabilities: Float32Array
  /** The probability of the true class. */
  readonly quality: Float32Array
}

/** D boxes of all images, one image after the other. */
export interface BoxPredictions {
  /** `[D, 4]`: `[y1, x1, y2, x2]` in pixels of the prepared image. */
  readonly boxes: Float32Array
  /** `[D]` */
  readonly classes: Int32Array
  /** `[D]`, 0…1 */
  readonly scores: Float32Array
  /** `[N + 1]`: the boxes of image `i` are those from `offsets[i]` up to, not including, `offsets[i + 1]`. */
  readonly offsets: Int32Array
  /** How far boxes and labels agree (F1). */
  readonly quality: Float32Array
}

export interface MaskPredictions {
  /** `[N, H, W]`: the class of every pixel. */
  readonly masks: Uint8Array
  readonly height: number
  readonly width: number
  /** How far mask and label agree. */
  readonly quality: Float32Array
}

/** Equal predictions give equal bytes. */
export const encodeClassPredictions = ({ classes, probabilities, quality }: ClassPredictions) =>
  encodeSafetensors({
    arrays: { classes: row(classes), probabilities: row(probabilities), quality: row(quality) },
    metadata: {}
  })

/** Equal predictions give equal bytes. */
export const encodeBoxPredictions = ({ boxes, classes, scores, offsets, quality }: BoxPredictions) =>
  encodeSafetensors({
    arrays: {
      boxes: { shape: [classes.length, 4], values: boxes },
      classes: row(classes),
      scores: row(scores),
      offsets: row(offsets),
      quality: row(quality)
    },
    metadata: {}
  })

/** Equal predictions give equal bytes. */
export const encodeMaskPredictions = ({ masks, height, width, quality }: MaskPredictions) =>
  encodeSafetensors({
    arrays: { masks: { shape: [quality.length, height, width], values: masks }, quality: row(quality) },
    metadata: {}
  })

const row = (values: ArrayValues) => ({ shape: [values.length], values })

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodeClassPredictions = Effect.fn("decodeClassPredictions")(function* (bytes: Uint8Array) {
  const arrays = yield* arraysOf(bytes, {
    classes: Int32Array,
    probabilities: Float32Array,
    quality: Float32Array
  })
  const { classes, probabilities, quality } = arrays
  if (
    classes.values.length !== quality.values.length ||
    probabilities.values.length !== quality.values.length
  ) {
    return yield* refuse("`classes`, `probabilities` and `quality` have different lengths")
  }
  return {
    classes: classes.values,
    probabilities: probabilities.values,
    quality: quality.values
  } satisfies ClassPredictions
})

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodeBoxPredictions = Effect.fn("decodeBoxPredictions")(function* (bytes: Uint8Array) {
  const { boxes, classes, scores, offsets, quality } = yield* arraysOf(bytes, {
    boxes: Float32Array,
    classes: Int32Array,
    scores: Float32Array,
    offsets: Int32Array,
    quality: Float32Array
  })
  const numBoxes = classes.values.length
  if (boxes.values.length !== 4 * numBoxes || scores.values.length !== numBoxes) {
    return yield* refuse("`boxes` [D, 4], `classes` [D] and `scores` [D] have different lengths")
  }
  if (!areOffsets(offsets.values, quality.values.length, numBoxes)) {
    return yield* refuse("`offsets` [N + 1] do not lead from the first box to the last in order")
  }
  return {
    boxes: boxes.values,
    classes: classes.values,
    scores: scores.values,
    offsets: offsets.values,
    quality: quality.values
  } satisfies BoxPredictions
})

const areOffsets = (offsets: Int32Array, numImages: number, numBoxes: number): boolean =>
  offsets.length === numImages + 1 &&
  offsets[0] === 0 &&
  offsets[numImages] === numBoxes &&
  offsets.every((offset, index) => index === 0 || offset >= offsets[index - 1]!)

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodeMaskPredictions = Effect.fn("decodeMaskPredictions")(function* (bytes: Uint8Array) {
  const { masks, quality } = yield* arraysOf(bytes, { masks: Uint8Array, quality: Float32Array })
  const [numImages, height, width] = masks.shape
  if (masks.shape.length !== 3 || numImages !== quality.values.length) {
    return yield* refuse("`masks` [N, H, W] and `quality` [N] do not belong together")
  }
  return {
    masks: masks.values,
    height: height!,
    width: width!,
    quality: quality.values
  } satisfies MaskPredictions
})

/** The kinds of arrays that must be there. */
type Kinds = Readonly<Record<string, new (length: number) => ArrayValues>>

type ArraysOf<K extends Kinds> = {
  readonly [Name in keyof K]: {
    readonly shape: ReadonlyArray<number>
    readonly values: InstanceType<K[Name]>
  }
}

const arraysOf = Effect.fnUntraced(function* <const K extends Kinds>(bytes: Uint8Array, kinds: K) {
  const { arrays } = yield* decodeSafetensors(bytes)
  for (const [name, kind] of Object.entries(kinds)) {
    if (!(arrays[name]?.values instanceof kind)) {
      return yield* refuse(`it does not hold \`${name}\`, so these are no predictions of this task`)
    }
  }
  return arrays as unknown as ArraysOf<K>
})

const refuse = (reason: string) => new SafetensorsError({ reason })
