/**
 * Mixup (Zhang et al., arXiv 1710.09412) and CutMix (Yun et al., arXiv 1905.04899): the image in slot k of a
 * batch (or micro-batch) of B is mixed with the one in slot B - 1 - k, and so are their targets. It is done
 * in place on what the network is fed, so augmented and normalised images are mixed, and a teacher sees the
 * very same ones.
 */
import { symmetricBeta } from "../tensor/beta.ts"
import type { RandomStream } from "../tensor/random.ts"

export interface Mixing {
  /** Alphas: the share an image keeps is drawn from Beta(alpha, alpha). 0: never; one at least is above 0. */
  readonly mixup: number
  readonly cutmix: number
  /** Where both are on: how often it is CutMix, 0…1. */
  readonly cutmixShare: number
  /** Whether chance decides once a batch, as in GluonCV, or for each image. */
  readonly per: "batch" | "example"
  /** How often something is mixed at all, 0…1. */
  readonly probability: number
  /** From this epoch on (from 0) images stay as they are. */
  readonly endEpoch: number
}

/** Rows from `top` up to and without `bottom`, columns likewise. */
interface Box {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly right: number
}

/** What becomes of one image. `kept` is its own share in the target, 0…1. */
export type Mix =
  | { readonly kind: "none"; readonly kept: 1 }
  | { readonly kind: "blend"; readonly kept: number }
  | { readonly kind: "paste"; readonly kept: number; readonly box: Box }

interface Extent {
  readonly height: number
  readonly width: number
}

const unmixed: Mix = { kind: "none", kept: 1 }

/** What `random` decides for a batch, or for an image. */
export const drawMix = (random: RandomStream, mixing: Mixing, extent: Extent): Mix => {
  const { cutmix, cutmixShare, mixup, probability } = mixing
  if (random.uniform() >= probability) return unmixed
  const isPasted = random.uniform() < (mixup === 0 ? 1 : cutmix === 0 ? 0 : cutmixShare)
  if (!isPasted) return { kind: "blend", kept: symmetricBeta(random, mixup) }
  const box = drawBox(random, 1 - symmetricBeta(random, cutmix), extent)
  const area = (box.bottom - box.top) * (box.right - box.left)
  return { kind: "paste", kept: 1 - area / (extent.height * extent.width), box }
}

/** A box of the image's own shape with `share` of its area; what lies outside of the image is cut off. */
const drawBox = (random: RandomStream, share: number, { height, width }: Extent): Box => {
  const [top, bottom] = drawSpan(random, Math.sqrt(share), height)
  const [left, right] = drawSpan(random, Math.sqrt(share), width)
  return { top, bottom, left, right }
}

/** The centre is uniform; half of the span lies on each side. */
const drawSpan = (random: RandomStream, share: number, extent: number): readonly [number, number] => {
  const half = Math.floor(Math.floor(extent * share) / 2)
  const centre = random.below(extent)
  return [Math.max(0, centre - half), Math.min(extent, centre + half)]
}

export interface MixableBatch {
  /** `[N, H, W, C]` */
  readonly images: Float32Array
  /** `[N, K]` */
  readonly targets: Float32Array
  /** Ids of the examples in the batch's slots. */
  readonly examples: Int32Array
  readonly height: number
  readonly width: number
}

/**
 * A function that mixes the images and targets of a batch in place, by chance that depends on (epoch, step)
 * alone, or with `per: "example"` on (epoch, example). `random` is the training's stream. The middle image of
 * an odd batch stays as it is.
 */
export const makeMixer = (mixing: Mixing, random: RandomStream) => {
  let spare = new Float32Array(0)
  return ({ epoch, step }: { readonly epoch: number; readonly step: number }, batch: MixableBatch): void => {
    if (epoch >= mixing.endEpoch) return
    const { examples, images, targets } = batch
    if (spare.length !== images.length / examples.length) {
      spare = new Float32Array(images.length / examples.length)
    }
    const ofEpoch = random.derive(epoch)
    const shared = mixing.per === "batch" ? drawMix(ofEpoch.derive(step), mixing, batch) : undefined
    const mixOf = (slot: number) => shared ?? drawMix(ofEpoch.derive(examples[slot]!), mixing, batch)
    for (let slot = 0; slot < Math.floor(examples.length / 2); slot++) {
      const slots = [slot, examples.length - 1 - slot] as const
      const [ours, theirs] = [mixOf(slots[0]), mixOf(slots[1])]
      mixImages(pairOf(images, examples.length, slots), [ours, theirs], spare, batch)
      blendPair(pairOf(targets, examples.length, slots), [ours.kept, theirs.kept])
    }
  }
}

type Pair<A> = readonly [one: A, other: A]

const pairOf = (values: Float32Array, count: number, [one, other]: Pair<number>): Pair<Float32Array> => {
  const length = values.length / count
  return [
    values.subarray(one * length, (one + 1) * length),
    values.subarray(other * length, (other + 1) * length)
  ]
}

/** Each image takes from the other as that was before. */
const mixImages = (pair: Pair<Float32Array>, mixes: Pair<Mix>, spare: Float32Array, extent: Extent): void => {
  const [ours, theirs] = mixes
  if (ours.kind !== "paste" && theirs.kind !== "paste") blendPair(pair, [ours.kept, theirs.kept])
  else {
    const [one, other] = pair
    spare.set(one)
    takeFrom(other, one, ours, extent)
    takeFrom(spare, other, theirs, extent)
  }
}

const blendPair = ([one, other]: Pair<Float32Array>, [ours, theirs]: Pair<number>): void => {
  if (ours === 1 && theirs === 1) return
  const [fromOther, fromOne] = [1 - ours, 1 - theirs]
  for (let at = 0; at < one.length; at++) {
    const a = one[at]!
    const b = other[at]!
    one[at] = ours * a + fromOther * b
    other[at] = theirs * b + fromOne * a
  }
}

const takeFrom = (source: Float32Array, image: Float32Array, mix: Mix, { height, width }: Extent): void => {
  if (mix.kind !== "paste") {
    for (let at = 0; at < image.length; at++) image[at] = mix.kept * image[at]! + (1 - mix.kept) * source[at]!
    return
  }
  const { bottom, left, right, top } = mix.box
  const channels = image.length / (height * width)
  for (let row = top; row < bottom; row++) {
    const [from, to] = [(row * width + left) * channels, (row * width + right) * channels]
    image.set(source.subarray(from, to), from)
  }
}
