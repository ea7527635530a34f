/** The gradient of cutting boxes out of images, which tfjs does not have. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Gradient, gradient } from "./Gradient.ts"

interface CropAttrs {
  readonly cropSize: [number, number]
  readonly method: "bilinear" | "nearest"
}

interface Crop extends CropAttrs {
  readonly image: tf.Tensor4D
  readonly boxes: tf.Tensor
  readonly boxIndices: tf.Tensor
}

/** Where samples lie along one direction, `[B, count]` each. */
interface Samples {
  /** The cells before and after, and how far towards the second. */
  readonly low: tf.Tensor
  readonly high: tf.Tensor
  readonly share: tf.Tensor
  /** 1 or 0: whether within the image. */
  readonly inside: tf.Tensor
}

/** `[count]`: how far from the first edge to the second each sample lies. */
const steps = (count: number): tf.Tensor =>
  count === 1 ? tf.tensor1d([0.5]) : tf.div(tf.range(0, count, 1, "float32"), tf.scalar(count - 1))

const samplesBetween = (
  [first, last]: readonly [tf.Tensor, tf.Tensor],
  length: number,
  count: number,
  method: CropAttrs["method"]
): Samples => {
  const at = tf.mul(tf.add(first, tf.mul(tf.sub(last, first), steps(count))), length - 1)
  const place = method === "nearest" ? tf.round(at) : at
  const low = tf.clipByValue(tf.floor(place), 0, length - 1)
  const inside = tf.logicalAnd(tf.greaterEqual(at, 0), tf.lessEqual(at, length - 1))
  return {
    low,
    high: tf.minimum(tf.add(low, 1), length - 1),
    share: tf.sub(place, low),
    inside: tf.cast(inside, "float32")
  }
}

/** What both gradients need: the cells of each corner, as numbers in a list of all pixels, and shares. */
const sampled = ({ boxes, boxIndices, cropSize, image, method }: Crop) => {
  const [, height, width] = image.shape
  const [rows, columns] = cropSize
  const count = boxes.shape[0]!
  const [y1, x1, y2, x2] = tf.split(boxes, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
  const y = samplesBetween([y1, y2], height, rows, method)
  const x = samplesBetween([x1, x2], width, columns, method)
  const vertical = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [count, rows, 1])
  const horizontal = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [count, 1, columns])
  const first = tf.mul(tf.reshape(tf.cast(boxIndices, "float32"), [count, 1, 1]), height)
  const places = (row: tf.Tensor, column: tf.Tensor): tf.Tensor1D => {
    const numbers = tf.add(tf.mul(tf.add(first, vertical(row)), width), horizontal(column))
    return tf.cast(tf.reshape(numbers, [count * rows * columns]), "int32")
  }
  const [below, right] = [vertical(y.share), horizontal(x.share)]
  const corners = [
    { at: places(y.low, x.low), row: tf.sub(1, below), column: tf.sub(1, right), signs: [-1, -1] },
    { at: places(y.low, x.high), row: tf.sub(1, below), column: right, signs: [-1, 1] },
    { at: places(y.high, x.low), row: below, column: tf.sub(1, right), signs: [1, -1] },
    { at: places(y.high, x.high), row: below, column: right, signs: [1, 1] }
  ] as const
  return { corners, inside: tf.mul(vertical(y.inside), horizontal(x.inside)) }
}

/** Each pixel gets from every sample it took part in, by its share. */
const imageGradient = (dy: tf.Tensor, crop: Crop): tf.Tensor => {
  const { shape } = crop.image
  const [batch, height, width, channels] = shape
  const { corners, inside } = sampled(crop)
  const parts = corners.map(({ at, column, row }) => {
    const share = tf.expandDims(tf.mul(tf.mul(row, column), inside), -1)
    const handed = tf.reshape(tf.mul(dy, share), [at.size, channels])
    return tf.unsortedSegmentSum(handed, at, batch * height * width)
  })
  return tf.reshape(tf.addN(parts), shape)
}

/** How the samples change as they move down and to the right, and how the edges move them. */
const boxesGradient = (dy: tf.Tensor, crop: Crop): tf.Tensor => {
  const { boxes, cropSize, image, method } = crop
  if (method === "nearest") return tf.zerosLike(boxes)
  const [batch, height, width, channels] = image.shape
  const { corners, inside } = sampled(crop)
  const pixels = tf.reshape(image, [batch * height * width, channels])
  const slopes = corners.map(({ at, column, row, signs: [down, across] }) => {
    const seen = tf.sum(tf.mul(tf.reshape(tf.gather(pixels, at), dy.shape), dy), -1)
    return [tf.mul(tf.mul(seen, column), down), tf.mul(tf.mul(seen, row), across)] as const
  })
  const moved = (parts: Array<tf.Tensor>, axis: number, length: number) => {
    const along = tf.mul(tf.sum(tf.mul(tf.addN(parts), inside), axis), length - 1)
    const share = steps(cropSize[axis === 2 ? 0 : 1]!)
    return [tf.sum(tf.mul(along, tf.sub(1, share)), 1), tf.sum(tf.mul(along, share), 1)] as const
  }
  const [y1, y2] = moved(
    slopes.map(([down]) => down),
    2,
    height
  )
  const [x1, x2] = moved(
    slopes.map(([, across]) => across),
    1,
    width
  )
  return tf.stack([y1, x1, y2, x2], 1)
}

const crop = gradient<CropAttrs>(
  "CropAndResize",
  { inputs: ["image", "boxes", "boxInd"] },
  ({ attrs, dy, kept }) => {
    const all = { ...attrs, image: kept.image as tf.Tensor4D, boxes: kept.boxes!, boxIndices: kept.boxInd! }
    return { image: () => imageGradient(dy, all), boxes: () => boxesGradient(dy, all) }
  }
)

export const crops: ReadonlyArray<Gradient> = [crop]
