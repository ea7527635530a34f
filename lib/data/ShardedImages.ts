/**
 * Labelled images that are too many to be held: their shards are read as they are needed, and let go again.
 * Each is hashed on its way from the store, whenever it comes.
 */
import { Effect, Fiber, type Scope, Stream } from "effect"
import { SafetensorsError } from "../models/safetensors.ts"
import { readSafetensorsHeader } from "../models/safetensors-header.ts"
import { type BlobError, BlobStore } from "../storage/BlobStore.ts"
import type { Images, LabelledImages } from "./batches.ts"
import { decodeLabels } from "./labelled-images.ts"
import type { ShardedSplit } from "./PreparedSplit.ts"
import type { Pixels } from "./pixels.ts"
import { firstAbove, shardStarts } from "./sharded-order.ts"

/** What may come of reading images: a blob that is gone or damaged, a store that is away, other contents. */
export type ImagesError = BlobError | SafetensorsError

/** A shard that is here or on its way. */
interface Held {
  readonly room: Uint8Array
  readonly fiber: Fiber.Fiber<Uint8Array, ImagesError>
  /** `[N, H, W, C]`, a view of the room, once it is here. */
  pixels?: Uint8Array
}

/** One shard in turn, for who goes through all images. */
export interface ImagesPart {
  /** The number of its first image. */
  readonly first: number
  readonly count: number
  /** Its images, until the next part's are asked for. */
  readonly images: Effect.Effect<Images, ImagesError>
}

export class ShardedImages {
  readonly height: number
  readonly width: number
  readonly channels: number
  readonly labels: Int32Array
  readonly shardSizes: ReadonlyArray<number>
  readonly #split: ShardedSplit
  readonly #starts: Int32Array
  readonly #store: BlobStore["Service"]
  readonly #scope: Scope.Scope
  readonly #held = new Map<number, Held>()
  /** Memory that shards have left. */
  readonly #rooms: Array<Uint8Array> = []

  /** Reads the labels. What is on its way when the scope ends is given up. */
  static readonly open = Effect.fn("ShardedImages.open")(function* (split: ShardedSplit) {
    const store = yield* BlobStore
    const labels = yield* Effect.flatMap(store.get(split.labels), decodeLabels)
    const stated = split.shards.reduce((sum, { numExamples }) => sum + numExamples, 0)
    if (labels.length !== stated) {
      return yield* new SafetensorsError({ reason: `it holds ${labels.length} labels of ${stated} images` })
    }
    return new ShardedImages(split, labels, store, yield* Effect.scope)
  })

  private constructor(
    split: ShardedSplit,
    labels: Int32Array,
    store: BlobStore["Service"],
    scope: Scope.Scope
  ) {
    this.height = split.height
    this.width = split.width
    this.channels = split.channels
    this.labels = labels
    this.shardSizes = split.shards.map(({ numExamples }) => numExamples)
    this.#split = split
    this.#starts = shardStarts(this.shardSizes)
    this.#store = store
    this.#scope = scope
  }

  /** Where an image lies whose shard is held: another one is a defect and throws. */
  readonly pixelsOf = (example: number): Pixels => {
    const shard = this.#shardOf(example)
    const pixels = this.#held.get(shard)?.pixels
    if (pixels === undefined) throw new Error(`image ${example} was asked for while its shard is not held`)
    return { pixels, from: (example - this.#starts[shard]!) * this.#valuesPerImage }
  }

  /** Ends when the needed shards are here. The next ones are then read meanwhile, all others let go. */
  readonly hold = Effect.fn("ShardedImages.hold")(
    { self: this },
    function* (needed: Iterable<number>, next: Iterable<number> = []) {
      const [now, later] = [new Set(needed), new Set(next)]
      for (const shard of [...this.#held.keys()]) {
        if (!now.has(shard) && !later.has(shard)) yield* this.#letGo(shard)
      }
      for (const shard of now) yield* this.#begin(shard)
      for (const shard of now) {
        const held = this.#held.get(shard)!
        held.pixels ??= yield* Fiber.join(held.fiber)
      }
      for (const shard of later) yield* this.#begin(shard)
    }
  )

  /** All images in their order; while one part is used the next is read. */
  get parts(): ReadonlyArray<ImagesPart> {
    return this.shardSizes.map((count, shard) => ({
      first: this.#starts[shard]!,
      count,
      images: Effect.map(this.hold([shard], shard + 1 < this.shardSizes.length ? [shard + 1] : []), () => ({
        ...this.#size,
        images: this.#held.get(shard)!.pixels!
      }))
    }))
  }

  /** Copies of these images and their labels, in this order. */
  readonly copyOf = Effect.fn("ShardedImages.copyOf")(
    { self: this },
    function* (examples: ReadonlyArray<number>) {
      const size = this.#valuesPerImage
      const images = new Uint8Array(examples.length * size)
      const shards = [...new Set(examples.map((example) => this.#shardOf(example)))].sort((a, b) => a - b)
      for (const [at, shard] of shards.entries()) {
        yield* this.hold([shard], shards.slice(at + 1, at + 2))
        for (const [slot, example] of examples.entries()) {
          if (this.#shardOf(example) !== shard) continue
          const { from, pixels } = this.pixelsOf(example)
          images.set(pixels.subarray(from, from + size), slot * size)
        }
      }
      yield* this.hold([])
      const labels = Int32Array.from(examples, (example) => this.labels[example]!)
      return { ...this.#size, images, labels } satisfies LabelledImages
    }
  )

  get #size() {
    return { height: this.height, width: this.width, channels: this.channels }
  }

  get #valuesPerImage(): number {
    return this.height * this.width * this.channels
  }

  #shardOf(example: number): number {
    return firstAbove(this.#starts, example) - 1
  }

  /** Reads a shard unless it is here or coming. One that failed while nobody waited is read anew. */
  readonly #begin = Effect.fnUntraced({ self: this }, function* (shard: number) {
    if (this.#held.get(shard)?.fiber.pollUnsafe()?._tag === "Failure") yield* this.#letGo(shard)
    if (this.#held.has(shard)) return
    const roomBytes = Math.max(...this.#split.shards.map(({ sizeBytes }) => sizeBytes))
    const room = this.#rooms.pop() ?? new Uint8Array(roomBytes)
    this.#held.set(shard, { room, fiber: yield* Effect.forkIn(this.#read(shard, room), this.#scope) })
  })

  readonly #letGo = Effect.fnUntraced({ self: this }, function* (shard: number) {
    const { fiber, room } = this.#held.get(shard)!
    this.#held.delete(shard)
    yield* Fiber.interrupt(fiber)
    this.#rooms.push(room)
  })

  readonly #read = Effect.fnUntraced({ self: this }, function* (shard: number, room: Uint8Array) {
    const ref = this.#split.shards[shard]!
    let end = 0
    yield* Stream.runForEach(this.#store.getStream(ref).chunks, (chunk) =>
      Effect.sync(() => {
        room.set(chunk, end)
        end += chunk.length
      })
    )
    const header = readSafetensorsHeader(room.subarray(0, end))
    const { entries } = yield* Effect.mapError(
      Effect.fromResult(header),
      (reason) => new SafetensorsError({ reason })
    )
    const images = entries.find(({ dtype, name }) => name === "images" && dtype === "U8")
    const shape = [ref.numExamples, this.height, this.width, this.channels]
    if (images === undefined || images.shape.join() !== shape.join()) {
      return yield* new SafetensorsError({
        reason: `it does not hold \`images\` [${shape}], as its split says`
      })
    }
    return images.bytes
  })
}
