import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import sharp from "sharp"
import { lateImageCodecLayer } from "../../../infra/images/lateImageCodec.ts"
import { ImageCodec } from "../../../lib/data/ImageCodec.ts"

describe("lateImageCodecLayer", () => {
  it.effect("gives sharp one thread an image, once there is one", () =>
    Effect.gen(function* () {
      sharp.concurrency(3)
      const { decode, encodePng } = yield* ImageCodec
      expect(sharp.concurrency()).toBe(3)
      const pixels = new Uint8Array([1, 2, 3])
      const png = yield* encodePng({ pixels, height: 1, width: 1, channels: 3 })
      expect(sharp.concurrency()).toBe(1)
      expect((yield* decode("pixel.png", png, 3)).pixels).toEqual(pixels)
    }).pipe(Effect.provide(lateImageCodecLayer))
  )
})
