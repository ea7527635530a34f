/**
 * One training image from the stored one: cropped, mirrored, coloured and normalised. Every kind of chance
 * has a stream of its own under (seed, epoch, example), so one that is switched on changes no other's draws.
 */
import { RandomStream } from "../../tensor/random.ts"
import type { Images } from "../batches.ts"
import { type PixelsOf, pixelsOf } from "../pixels.ts"
import type { ShardedImages } from "../ShardedImages.ts"
import type { Augment } from "./Augment.ts"
import { type AutoAugment, autoAugmenter } from "./auto-augment.ts"
import { noColourShift, pcaNoise, randomColourShift } from "./colour-shift.ts"
import { type Normalization, normalizationTable } from "./normalization.ts"
import {
  type CropFlip,
  type FrameSize,
  type ImageSize,
  randomCropFlip,
  writeCropFlip
} from "./pad-crop-flip.ts"
import { eraseRandomly } from "./random-erasing.ts"
import { randomWindow } from "./random-resized-crop.ts"
import { recolour } from "./recolour.ts"
import { resizeWindow } from "./resize-window.ts"

export interface ImageAugmenterOptions {
  readonly dataset: Images | ShardedImages
  /** Of the network's input, which crops have: at most that of the images. */
  readonly frame: FrameSize
  /** Of what is made of a crop: the frame's, or another that it is resized to. */
  readonly size: FrameSize
  readonly augment: Augment
  readonly normalization: Normalization
  readonly seed: number
}

/** Writes an example into `image`, `[H, W, C]` of `size`. */
export type WriteExample = (example: number, image: Float32Array) => void

/** For each epoch, what makes its images. */
export const imageAugmenter = (options: ImageAugmenterOptions): ((epoch: number) => WriteExample) => {
  const { augment, dataset, frame, seed } = options
  const isResized = options.size.height !== frame.height || options.size.width !== frame.width
  const {
    autoAugment = null,
    colour = null,
    erasing = null,
    pcaNoise: noise = 0,
    resizedCrop = null
  } = augment
  const isCopied =
    !isResized && resizedCrop === null && autoAugment === null && colour === null && noise === 0
  const size = { ...options.size, channels: dataset.channels }
  const write = isCopied ? copied(options) : recoloured(options)
  const streams = streamsOf(seed)
  return (epoch) => {
    const ofEpoch = derived(streams, epoch)
    return (example, image) => {
      const cropFlip = randomCropFlip(ofEpoch.placing.derive(example), dataset, frame, augment)
      write({ example, cropFlip, streams: ofEpoch }, image)
      if (erasing !== null) eraseRandomly(image, size, ofEpoch.erasing.derive(example), erasing)
    }
  }
}

const streamsOf = (seed: number) => ({
  /** The first there was, hence its name; crop and flip draw from it in turn. */
  placing: RandomStream.make(seed, "augment"),
  resizing: RandomStream.make(seed, "resized-crop"),
  operating: RandomStream.make(seed, "auto-augment"),
  colouring: RandomStream.make(seed, "colour"),
  noising: RandomStream.make(seed, "pca-noise"),
  erasing: RandomStream.make(seed, "erasing")
})
type Streams = ReturnType<typeof streamsOf>

const derived = (streams: Streams, epoch: number): Streams => ({
  placing: streams.placing.derive(epoch),
  resizing: streams.resizing.derive(epoch),
  operating: streams.operating.derive(epoch),
  colouring: streams.colouring.derive(epoch),
  noising: streams.noising.derive(epoch),
  erasing: streams.erasing.derive(epoch)
})

interface Drawn {
  readonly example: number
  readonly cropFlip: CropFlip
  /** The epoch's. */
  readonly streams: Streams
}

type Write = (drawn: Drawn, image: Float32Array) => void

const valuesPerImage = ({ channels, height, width }: ImageSize): number => height * width * channels

/** Straight from bytes to normalised values. */
const copied = (options: ImageAugmenterOptions): Write => {
  const table = normalizationTable(options.normalization)
  const locate = pixelsOf(options.dataset)
  return ({ cropFlip, example }, image) => crop(options, table, locate(example), cropFlip, image)
}

const crop = (
  { augment: { pad }, dataset, frame }: ImageAugmenterOptions,
  table: Float32Array,
  place: ReturnType<PixelsOf>,
  cropFlip: CropFlip,
  output: Float32Array
): void => {
  writeCropFlip({ output, to: 0, ...place, size: dataset, frame, pad, crop: cropFlip, table })
}

/** By way of values in 0…255, in float32. */
const recoloured = (options: ImageAugmenterOptions): Write => {
  const { augment, dataset, normalization } = options
  const { channels } = dataset
  const { autoAugment = null, colour = null, pcaNoise: deviation = 0 } = augment
  const cut = colour?.kind === "gluoncv"
  const view = autoAugment === null ? viewer(options) : operated(options, autoAugment)
  const noNoise = Array.from({ length: channels }, () => 0)
  return (drawn, image) => {
    const { example, streams } = drawn
    view(drawn, image)
    recolour({
      image,
      channels,
      factors: colour === null ? noColourShift : randomColourShift(streams.colouring.derive(example), colour),
      noise: deviation === 0 ? noNoise : pcaNoise(streams.noising.derive(example), deviation),
      cut,
      normalization
    })
  }
}

/** What is seen, rounded to bytes, after operations on these. */
const operated = (options: ImageAugmenterOptions, params: AutoAugment): Write => {
  const { dataset } = options
  const size = { ...options.size, channels: dataset.channels }
  const view = viewer(options)
  const operate = autoAugmenter(params, size)
  const rounded = new Uint8ClampedArray(valuesPerImage(size))
  const bytes = new Uint8Array(rounded.buffer)
  return (drawn, image) => {
    view(drawn, image)
    rounded.set(image)
    operate(bytes, drawn.streams.operating.derive(drawn.example))
    image.set(bytes)
  }
}

/** The part of the image that is seen, as values in 0…255. */
const viewer = (options: ImageAugmenterOptions): Write => {
  const { augment, dataset, frame, normalization, size } = options
  const { resizedCrop = null } = augment
  const locate = pixelsOf(dataset)
  if (resizedCrop === null) {
    const view = centredViewer(options, normalization.mean)
    const isKept = size.height === frame.height && size.width === frame.width
    return isKept ? view : resizing(options, view)
  }
  return ({ cropFlip: { flip }, example, streams }, output) => {
    const window = randomWindow(streams.resizing.derive(example), dataset, resizedCrop)
    resizeWindow({ output, ...size, ...locate(example), size: dataset, window, flip })
  }
}

/** Beyond the image lies the mean colour. */
const centredViewer = (options: ImageAugmenterOptions, mean: ReadonlyArray<number>): Write => {
  const centred = normalizationTable({ mean, std: mean.map(() => 1 / 255) })
  const locate = pixelsOf(options.dataset)
  return ({ cropFlip, example }, image) => {
    crop(options, centred, locate(example), cropFlip, image)
    for (let channel = 0; channel < mean.length; channel++) {
      const value = 255 * mean[channel]!
      for (let at = channel; at < image.length; at += mean.length) image[at] = image[at]! + value
    }
  }
}

/** What `view` cuts, rounded to bytes, at another size. */
const resizing = ({ dataset, frame, size }: ImageAugmenterOptions, view: Write): Write => {
  const cut = { ...frame, channels: dataset.channels }
  const values = new Float32Array(valuesPerImage(cut))
  const rounded = new Uint8ClampedArray(values.length)
  const pixels = new Uint8Array(rounded.buffer)
  const window = { top: 0, left: 0, rows: frame.height, columns: frame.width }
  return (drawn, output) => {
    view(drawn, values)
    rounded.set(values)
    resizeWindow({ output, ...size, pixels, from: 0, size: cut, window, flip: false })
  }
}
