/** Prepared examples of a split while they are read: one buffer for all images, the rest as it comes. */
import type { BoxedImages } from "./boxed-images.ts"
import { fillPadding, type Target } from "./fit-image.ts"
import type { Prepared, PreparedBoxes } from "./prepare-example.ts"

type Size = Pick<Target, "height" | "width" | "channels">

export class PreparedImages<A> {
  readonly size: Size
  readonly about: Array<A> = []
  private readonly buffer: Uint8Array
  private readonly extentList: Array<number> = []

  constructor(capacity: number, size: Size) {
    this.size = size
    this.buffer = new Uint8Array(capacity * size.height * size.width * size.channels)
  }

  add({ about, extent, pixels }: Prepared<A>): void {
    this.buffer.set(pixels, this.about.length * this.sizePerImage)
    this.extentList.push(extent.rows, extent.columns)
    this.about.push(about)
  }

  /** Makes room for others. */
  clear(): void {
    this.about.length = 0
    this.extentList.length = 0
  }

  /** `[N, H, W, C]` */
  get images(): Uint8Array {
    return this.buffer.subarray(0, this.about.length * this.sizePerImage)
  }

  /** `[N, 2]`: rows and columns that are no padding. */
  get extents(): Int32Array {
    return Int32Array.from(this.extentList)
  }

  pick(indices: ArrayLike<number>): PreparedImages<A> {
    const picked = new PreparedImages<A>(indices.length, this.size)
    for (const index of Array.from(indices)) {
      const start = index * this.sizePerImage
      picked.add({
        pixels: this.buffer.subarray(start, start + this.sizePerImage),
        extent: { rows: this.extentList[index * 2]!, columns: this.extentList[index * 2 + 1]! },
        about: this.about[index]!
      })
    }
    return picked
  }

  fillPadding(colour: ReadonlyArray<number>): void {
    fillPadding(this.images, this.extents, this.size, colour)
  }

  private get sizePerImage(): number {
    return this.size.height * this.size.width * this.size.channels
  }
}

/** Labels `[N]` beside the images. */
export const labelledOf = (prepared: PreparedImages<number>) => ({
  images: prepared.images,
  ...prepared.size,
  labels: Int32Array.from(prepared.about)
})

/** The boxes of all images in one list. */
export const boxedOf = (prepared: PreparedImages<PreparedBoxes>): BoxedImages => {
  const { about, extents, images, size } = prepared
  const boxes = new Float32Array(about.reduce((sum, one) => sum + one.boxes.length, 0))
  const offsets = new Int32Array(about.length + 1)
  about.forEach((one, image) => {
    boxes.set(one.boxes, offsets[image]! * 4)
    offsets[image + 1] = offsets[image]! + one.classes.length
  })
  return {
    images,
    ...size,
    boxes,
    classes: Int32Array.from(about.flatMap(({ classes }) => classes)),
    difficult: Uint8Array.from(
      about.flatMap(({ difficult }) => difficult),
      Number
    ),
    offsets,
    extents
  }
}

/** Masks `[N, H, W]` beside the images. */
export const maskedOf = (prepared: PreparedImages<Uint8Array>) => {
  const { about, extents, images, size } = prepared
  const masks = new Uint8Array(about.length * size.height * size.width)
  about.forEach((mask, image) => {
    masks.set(mask, image * mask.length)
  })
  return { images, ...size, masks, extents }
}
