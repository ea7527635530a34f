import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { classificationBatches, type LabelledImages } from "../../../lib/data/batches.ts"
import { encodeLabelledImages, encodeLabels } from "../../../lib/data/labelled-images.ts"
import type { ShardedSplit } from "../../../lib/data/PreparedSplit.ts"
import { ShardedImages } from "../../../lib/data/ShardedImages.ts"
import { shardedOrder } from "../../../lib/data/sharded-order.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobKey } from "../../../lib/storage/blobs.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { scoringSample } from "../../../lib/train/teacher-score.ts"
import { blobsLayer } from "../../support/stageServices.ts"

const size = { height: 2, width: 3, channels: 1 } as const
const valuesPerImage = 6

/** Every value of an image says which it is. */
const imagesFrom = (first: number, count: number): LabelledImages => ({
  ...size,
  images: Uint8Array.from({ length: count * valuesPerImage }, (_, at) => first + Math.floor(at / 6)),
  labels: Int32Array.from({ length: count }, (_, at) => (first + at) % 3)
})

const numShards = 12
const perShard = 5
const numExamples = numShards * perShard

const stored = Effect.gen(function* () {
  const store = yield* BlobStore
  const shards = yield* Effect.forEach(Array.from({ length: numShards }), (_, shard) =>
    Effect.map(store.put(encodeLabelledImages(imagesFrom(shard * perShard, perShard))), (ref) => ({
      ...ref,
      numExamples: perShard
    }))
  )
  const labels = yield* store.put(encodeLabels(imagesFrom(0, numExamples).labels))
  return { numExamples, ...size, labels, shards } satisfies ShardedSplit
})

/** The store that is around it, with what is read of it. */
const counting = Effect.fnUntraced(function* (split: ShardedSplit) {
  const reads: Array<number> = []
  const store = yield* BlobStore
  const getStream: BlobStore["Service"]["getStream"] = (ref) => {
    reads.push(split.shards.findIndex(({ blob }) => blob === ref.blob))
    return store.getStream(ref)
  }
  const images = yield* Effect.provideService(ShardedImages.open(split), BlobStore, { ...store, getStream })
  return { images, reads }
})

const options = {
  normalization: { mean: [0], std: [1 / 255] },
  ...{ numClasses: 3, batchSize: 4, seed: 9, augment: { pad: 0, flip: false }, labelSmoothing: 0 }
}

const filled = Effect.fnUntraced(function* (
  batches: ReturnType<typeof classificationBatches>,
  epoch: number,
  step: number
) {
  const feeds = { images: new Float32Array(4 * valuesPerImage), targets: new Float32Array(12) }
  yield* batches.ready?.({ epoch, step }) ?? Effect.void
  batches.fill({ epoch, step }, feeds)
  return feeds
})

const test = (name: string, body: () => Effect.Effect<void, unknown, BlobStore | ObjectStore>) =>
  it.effect(name, () => body().pipe(Effect.provide(Layer.fresh(blobsLayer))))

describe("images in shards", () => {
  test("make the batches that their order says, from anywhere, and read each shard once an epoch", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const split = yield* stored
        const { images, reads } = yield* counting(split)
        const batches = classificationBatches({ ...options, dataset: images })
        const { examples } = shardedOrder(images.shardSizes, options.seed)(0)
        assert.strictEqual(batches.stepsPerEpoch, 15)
        const seen: Array<number> = []
        for (let step = 0; step < batches.stepsPerEpoch; step++) {
          const feeds = yield* filled(batches, 0, step)
          const shown = Array.from({ length: 4 }, (_, slot) => Math.round(feeds.images[slot * 6]!))
          for (const [slot, example] of shown.entries()) {
            assert.strictEqual(feeds.targets[slot * 3 + (example % 3)], 1)
          }
          seen.push(...shown)
        }
        assert.deepStrictEqual(seen, [...examples])
        assert.deepStrictEqual(
          reads.slice(0, numShards).toSorted((a, b) => a - b),
          images.shardSizes.map((_, shard) => shard)
        )
        // Those ahead of the next epoch.
        assert.isAtMost(reads.length, numShards + 2)
        for (const step of [7, 0, 14, 3]) {
          const fresh = classificationBatches({ ...options, dataset: yield* ShardedImages.open(split) })
          assert.deepStrictEqual(yield* filled(fresh, 1, step), yield* filled(batches, 1, step))
        }
      })
    ))

  test("that fit into a window make the same batches as one blob, bit for bit", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { shards, ...rest } = yield* stored
        const few = { ...rest, numExamples: 40, shards: shards.slice(0, 8) }
        const labels = yield* (yield* BlobStore).put(encodeLabels(imagesFrom(0, 40).labels))
        const dataset = yield* ShardedImages.open({ ...few, labels })
        const sharded = classificationBatches({ ...options, dataset })
        const whole = classificationBatches({ ...options, dataset: imagesFrom(0, 40) })
        for (const [epoch, step] of [
          [0, 0],
          [0, 9],
          [1, 4]
        ] as const) {
          assert.deepStrictEqual(yield* filled(sharded, epoch, step), yield* filled(whole, epoch, step))
        }
      })
    ))
})

describe("single images in shards", () => {
  test("are copied in any order, and a sample of them is spread over some shards", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { images, reads } = yield* counting(yield* stored)
        const { images: pixels, labels } = yield* images.copyOf([41, 2, 40, 3])
        assert.deepStrictEqual(
          [0, 1, 2, 3].map((slot) => pixels[slot * 6]),
          [41, 2, 40, 3]
        )
        assert.deepStrictEqual([...labels], [2, 2, 1, 0])
        assert.deepStrictEqual(reads, [0, 8])
        reads.length = 0
        assert.lengthOf((yield* scoringSample(images, 10)).labels, 10)
        assert.strictEqual(new Set(reads).size, 8)
      })
    ))

  test("end with the error of a shard that is damaged or gone, and go on where one was only away", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const split = yield* stored
        const objects = yield* ObjectStore
        const { blob } = split.shards[3]!
        const bytes = yield* objects.get(blobKey(blob))
        const images = yield* ShardedImages.open(split)
        yield* objects.put(
          blobKey(blob),
          bytes.map((value, at) => (at === bytes.length - 1 ? value ^ 1 : value))
        )
        assert.strictEqual((yield* Effect.flip(images.hold([3])))._tag, "BlobCorrupt")
        yield* objects.remove(blobKey(blob))
        yield* images.hold([2], [3])
        assert.strictEqual((yield* Effect.flip(images.hold([3])))._tag, "ObjectNotFound")
        yield* objects.put(blobKey(blob), bytes)
        yield* images.hold([3])
        const { from, pixels } = images.pixelsOf(16)
        assert.strictEqual(pixels[from], 16)
        const other = { ...split.shards[4]!, numExamples: 5 }
        const wrong = { ...split, width: 2, shards: [other], labels: split.labels, numExamples: 5 }
        assert.strictEqual((yield* Effect.flip(ShardedImages.open(wrong)))._tag, "SafetensorsError")
        const narrow = yield* ShardedImages.open({ ...split, width: 2 })
        assert.match((yield* Effect.flip(narrow.hold([0]))).message, /`images` \[5,2,2,1\]/)
      })
    ))
})
