import { assert, describe, it } from "@effect/vitest"
import { channelStatistics, imageStatistics } from "../../../lib/data/channel-statistics.ts"

describe("channel statistics", () => {
  it("mean and deviation per channel, by hand", () => {
    // Channel 0: 0, 255, 255, 0; channel 1: 51 four times; channel 2: 0, 0, 0, 102.
    const pixels = Uint8Array.from([0, 51, 0, 255, 51, 0, 255, 51, 0, 0, 51, 102])
    const { mean, std } = channelStatistics(pixels, 3)
    assert.deepStrictEqual(mean, [0.5, 0.2, 0.1])
    assert.closeTo(std[0]!, 0.5, 1e-12)
    // A channel that never changes can still be divided by: one grey level.
    assert.strictEqual(std[1], 1 / 255)
    assert.closeTo(std[2]!, Math.sqrt(0.16 / 4 - 0.01), 1e-12)
  })
})

describe("statistics of images with padding", () => {
  it("are those of the images alone", () => {
    // Two images of 2 × 2: all of the first, the left column of the second.
    const images = Uint8Array.from([10, 20, 30, 40, 50, 255, 60, 255])
    const split = { images, height: 2, width: 2, channels: 1 } as const
    const whole = channelStatistics(Uint8Array.of(10, 20, 30, 40, 50, 60), 1)
    assert.deepStrictEqual(imageStatistics(split, Int32Array.of(2, 2, 2, 1)), whole)
    assert.deepStrictEqual(imageStatistics(split, Int32Array.of(2, 2, 2, 2)), channelStatistics(images, 1))
  })
})
