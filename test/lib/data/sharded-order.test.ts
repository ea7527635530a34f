import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { epochOrder } from "../../../lib/data/epoch-order.ts"
import { shardedOrder, shardSequence, shardStarts } from "../../../lib/data/sharded-order.ts"

const integers = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const cases = {
  sizes: Schema.Array(integers(1, 30)).check(Schema.isMinLength(1), Schema.isMaxLength(24)),
  window: integers(2, 9),
  seed: integers(0, 2 ** 32 - 1),
  epoch: integers(0, 300)
}

const shardsOf = (sizes: ReadonlyArray<number>) => {
  const starts = shardStarts(sizes)
  return (example: number) => starts.findIndex((start) => start > example) - 1
}

describe("the order of images in shards", () => {
  it.prop("has every image once in an epoch", cases, ({ epoch, seed, sizes, window }) => {
    const { examples, shards } = shardedOrder(sizes, seed, window)(epoch)
    const count = sizes.reduce((sum, size) => sum + size)
    assert.deepStrictEqual(
      examples.toSorted(),
      Int32Array.from({ length: count }, (_, at) => at)
    )
    assert.deepStrictEqual(
      shards.toSorted(),
      Int32Array.from(sizes, (_, at) => at)
    )
  })

  it.prop("is the same wherever one starts and whatever was asked for before", cases, (drawn) => {
    const { epoch, seed, sizes, window } = drawn
    const orderOf = shardedOrder(sizes, seed, window)
    const first = orderOf(epoch).examples
    orderOf(epoch + 1)
    assert.deepStrictEqual(orderOf(epoch).examples, first)
    assert.deepStrictEqual(shardedOrder(sizes, seed, window)(epoch).examples, first)
  })

  it.prop(
    "asks for the shards that a stretch is of, each shard for one time, and no more than a window at once",
    { ...cases, stretch: integers(1, 12) },
    ({ epoch, seed, sizes, stretch, window }) => {
      const { examples, shards, windowOf } = shardedOrder(sizes, seed, window)(epoch)
      const shardOf = shardsOf(sizes)
      let last = { first: 0, end: 0 }
      for (let from = 0; from < examples.length; from += stretch) {
        const to = Math.min(from + stretch, examples.length)
        const asked = windowOf(from, to)
        const held = new Set(shards.subarray(asked.first, asked.end))
        for (const example of examples.subarray(from, to)) assert.isTrue(held.has(shardOf(example)))
        // One that was let go of does not come back.
        assert.isAtLeast(asked.first, last.first)
        assert.isAtLeast(asked.end, last.end)
        last = asked
      }
      for (let at = 0; at < examples.length; at++) {
        const { end, first } = windowOf(at, at + 1)
        assert.isAtMost(end - first, window)
      }
    }
  )

  it.prop("of no more shards than a window is that of the images in one blob", cases, (drawn) => {
    const { epoch, seed, sizes } = drawn
    const count = sizes.reduce((sum, size) => sum + size)
    const { examples, windowOf } = shardedOrder(sizes, seed, sizes.length)(epoch)
    assert.deepStrictEqual(examples, epochOrder(count, seed)(epoch))
    assert.deepStrictEqual(shardedOrder([count], seed)(epoch).examples, examples)
    assert.deepStrictEqual(windowOf(0, 1), { first: 0, end: sizes.length })
  })

  it("begins with the first shard alone, in an order of the epoch's own, and mixes eight later", () => {
    const sizes = Array.from({ length: 40 }, () => 64)
    const orderOf = shardedOrder(sizes, 3)
    const shardOf = shardsOf(sizes)
    const { examples, shards, windowOf } = orderOf(5)
    assert.deepStrictEqual(shards, shardSequence(40, 3, 5))
    assert.notDeepEqual(shards, shardSequence(40, 3, 6))
    assert.deepStrictEqual(windowOf(0, 8), { first: 0, end: 1 })
    const middle = examples.subarray(20 * 64, 21 * 64)
    assert.isAtLeast(new Set(Array.from(middle, shardOf)).size, 8)
    assert.notDeepEqual(orderOf(6).examples, examples)
  })
})
