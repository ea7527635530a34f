import { assert, describe, it } from "@effect/vitest"
import { channelStatistics } from "../../../lib/data/channel-statistics.ts"

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
