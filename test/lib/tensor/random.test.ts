import { describe, expect, it } from "vitest"
import { philox, RandomStream } from "../../../lib/tensor/random.ts"

const hex = (words: ReadonlyArray<number>): string =>
  words.map((word) => word.toString(16).padStart(8, "0")).join(" ")

describe("philox", () => {
  // Known answers for philox4x32-10 published with the authors' library Random123 (kat_vectors).
  it.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      "408f276d 41c83b0e a20bc7c6 6d5451fd"
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      "d16cfe09 94fdcceb 5001e420 24126ea1"
    ]
  ] as const)("matches the published answer for %j under %j", (counter, key, expected) => {
    expect(hex(philox([...counter], key))).toBe(expected)
  })
})

describe("RandomStream", () => {
  // Golden values: recorded from this implementation when it was made; a change moves every trained
  // checkpoint.
  it("draws the recorded values", () => {
    const stream = RandomStream.make(17, "augment", 3, 12_345)
    expect(hex([stream.bits(), stream.bits(), stream.bits(), stream.bits(), stream.bits()])).toBe(
      "700808ed 74f7befb 8f130dfe 11be52ca aab62d61"
    )
    expect(Array.from(RandomStream.make(0, "order").permutation(10))).toEqual([8, 2, 3, 0, 1, 6, 9, 4, 5, 7])
    expect(RandomStream.make(5).gaussian()).toBe(-0.6760574951401273)
  })

  it("depends on its key alone, not on what other streams drew", () => {
    const parent = RandomStream.make(1, "epoch", 4)
    const early = parent.derive("example", 9).uniform()
    for (let draw = 0; draw < 100; draw += 1) parent.uniform()
    expect(parent.derive("example", 9).uniform()).toBe(early)
    expect(RandomStream.make(1, "epoch", 4, "example", 9).uniform()).toBe(early)
  })

  it("gives different keys different streams", () => {
    const keys: ReadonlyArray<ReadonlyArray<string | number>> = [
      [],
      [0],
      [1],
      ["1"],
      ["a"],
      ["a", "b"],
      ["ab"],
      ["b", "a"],
      [""],
      ["", ""],
      [2 ** 32],
      [0, 0]
    ]
    const firsts = keys.map((key) =>
      hex([RandomStream.make(7, ...key).bits(), RandomStream.make(8, ...key).bits()])
    )
    expect(new Set(firsts).size).toBe(keys.length)
  })
})

describe("what a RandomStream draws", () => {
  it("draws integers evenly", () => {
    const stream = RandomStream.make(2, "below")
    const counts = new Array<number>(6).fill(0)
    for (let draw = 0; draw < 60_000; draw += 1) {
      const face = stream.below(6)
      counts[face] = (counts[face] ?? 0) + 1
    }
    // Five degrees of freedom: chi-square stays below 20.5 in 99.9 % of all streams, and this one is fixed.
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
    expect(chiSquare).toBeLessThan(20.5)
  })

  it("draws normal numbers with mean 0, deviation 1 and the right share beyond 2", () => {
    const stream = RandomStream.make(3, "gaussian")
    const values = Float64Array.from({ length: 100_000 }, () => stream.gaussian())
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    const beyond = values.filter((value) => Math.abs(value) > 2).length / values.length
    expect(Math.abs(mean)).toBeLessThan(0.01)
    expect(Math.abs(variance - 1)).toBeLessThan(0.02)
    expect(Math.abs(beyond - 0.0455)).toBeLessThan(0.003)
  })

  it("permutes: every number once, and each place as likely as the other", () => {
    const firsts = new Array<number>(4).fill(0)
    for (let trial = 0; trial < 4000; trial += 1) {
      const order = RandomStream.make(4, trial).permutation(4)
      expect(Array.from(order).sort()).toEqual([0, 1, 2, 3])
      firsts[order[0] as number] = (firsts[order[0] as number] ?? 0) + 1
    }
    for (const count of firsts) expect(Math.abs(count - 1000)).toBeLessThan(100)
    expect(RandomStream.make(4).permutation(0)).toHaveLength(0)
  })

  it("stays within [0, 1) and says what it cannot draw", () => {
    const stream = RandomStream.make(6)
    for (let draw = 0; draw < 10_000; draw += 1) {
      const value = stream.uniform()
      expect(value >= 0 && value < 1 && Math.fround(value) === value).toBe(true)
    }
    expect(() => stream.below(0)).toThrow(/below 0/)
    expect(() => RandomStream.make(-1)).toThrow(/-1 cannot key/)
    expect(() => RandomStream.make(1, 0.5)).toThrow(/0.5 cannot key/)
  })
})
