/** `ImageCodec` that loads sharp with the first image: many jobs have none, and it slows their start. */
import { Effect, Layer } from "effect"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"

/**
 * sharp gets one thread an image: as many images are at work as libuv's pool has threads, which a setting
 * decides (`numPoolThreads`). Left to itself it takes all cores for each, where its allocator lets it.
 */
const loadSharp = async () => {
  const [{ layer }, { default: sharp }] = await Promise.all([import("./SharpImageCodec.ts"), import("sharp")])
  sharp.concurrency(1)
  return layer
}

const loaded = Effect.promise(loadSharp).pipe(Effect.flatMap((layer) => Effect.provide(ImageCodec, layer)))

export const lateImageCodecLayer: Layer.Layer<ImageCodec> = Layer.effect(
  ImageCodec,
  Effect.map(Effect.cached(loaded), (codec) => ({
    decode: (name, bytes, channels) => Effect.flatMap(codec, (one) => one.decode(name, bytes, channels)),
    decodeIndices: (name, bytes) => Effect.flatMap(codec, (one) => one.decodeIndices(name, bytes)),
    resize: (image, height, width) => Effect.flatMap(codec, (one) => one.resize(image, height, width)),
    encodePng: (image) => Effect.flatMap(codec, (one) => one.encodePng(image))
  }))
)
