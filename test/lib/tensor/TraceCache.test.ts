import { assert, describe, it } from "@effect/vitest"
import { type Signature, TraceCache } from "../../../lib/tensor/TraceCache.ts"

const images = (...shape: ReadonlyArray<number>): Signature => ({
  images: { shape, dtype: "float32" },
  targets: { shape: [shape[0]!, 10], dtype: "float32" }
})

const filled = (limit: number, signatures: ReadonlyArray<Signature>) => {
  const cache = new TraceCache<string>(limit)
  const evicted: Array<string> = []
  for (const signature of signatures) {
    evicted.push(...cache.evict())
    cache.add(signature, String(signature.images!.shape))
  }
  return { cache, evicted }
}

describe("TraceCache", () => {
  it("finds programs by shapes and types, and counts", () => {
    const { cache } = filled(3, [images(8, 4, 4, 1), images(6, 4, 4, 1)])
    assert.strictEqual(cache.find(images(8, 4, 4, 1)), "8,4,4,1")
    assert.strictEqual(cache.find(images(8, 4, 4, 3)), undefined)
    assert.strictEqual(
      cache.find({ ...images(8, 4, 4, 1), targets: { shape: [8, 10], dtype: "int32" } }),
      undefined
    )
    assert.deepStrictEqual(cache.counts, { traces: 2, hits: 1, evictions: 0 })
  })

  it("lets go of the least recently used", () => {
    const { cache, evicted } = filled(2, [images(1, 1), images(2, 1)])
    assert.deepStrictEqual(evicted, [])
    cache.find(images(1, 1))
    assert.deepStrictEqual(cache.evict(), ["2,1"])
    cache.add(images(3, 1), "3,1")
    assert.strictEqual(cache.find(images(1, 1)), "1,1")
    assert.strictEqual(cache.find(images(2, 1)), undefined)
    assert.strictEqual(cache.counts.evictions, 1)
  })

  it("says what differs from the nearest trace", () => {
    const { cache } = filled(8, [images(128, 28, 28, 1), images(64, 32, 32, 1)])
    assert.strictEqual(cache.reason(images(64, 28, 28, 1)), "images: [64,32,32,1] → [64,28,28,1]")
    const typed = { ...images(64, 32, 32, 1), targets: { shape: [64], dtype: "int32" } } as const
    assert.strictEqual(cache.reason(typed), "targets: float32 [64,10] → int32 [64]")
    assert.strictEqual(new TraceCache(2).reason(typed), "")
  })

  it("says what became of a trace that was there", () => {
    const { cache, evicted } = filled(1, [images(1, 1), images(2, 1)])
    assert.deepStrictEqual(evicted, ["1,1"])
    assert.match(cache.reason(images(1, 1)), /let go of \(1 are kept\)/)
    assert.deepStrictEqual(cache.drop("the graph was made anew"), ["2,1"])
    assert.strictEqual(cache.reason(images(2, 1)), "the graph was made anew")
  })

  it("does not remember for ever", () => {
    const { cache } = filled(
      2,
      Array.from({ length: 100 }, (_, index) => images(index + 1, 1))
    )
    assert.match(cache.reason(images(97, 1)), /let go of/)
    assert.notMatch(cache.reason(images(50, 1)), /let go of/)
  })
})
