/** `ImageCodec` that loads sharp with the first image: many jobs have none, and it slows their start. */
import { Effect, Layer } from "effect"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"

const loaded = Effect.promise(() => import("./SharpImageCodec.ts")).pipe(
  Effect.flatMap(({ layer }) => Effect.provide(ImageCodec, layer))
)

export const lateImageCodecLayer: Layer.Layer<ImageCodec> = Layer.effect(
  ImageCodec,
  Effect.map(Effect.cached(loaded), (codec) => ({
    decode: (name, bytes, channels) => Effect.flatMap(codec, (one) => one.decode(name, bytes, channels)),
    decodeIndices: (name, bytes) => Effect.flatMap(codec, (one) => one.decodeIndices(name, bytes)),
    resize: (image, height, width) => Effect.flatMap(codec, (one) => one.resize(image, height, width)),
    encodePng: (image) => Effect.flatMap(codec, (one) => one.encodePng(image))
  }))
)
