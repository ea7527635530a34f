/** Prepared images of a split as shards, written while they come: no more than one shard of them is held. */
import { Effect } from "effect"
import type { BlobStore } from "../storage/BlobStore.ts"
import { encodeLabels } from "./labelled-images.ts"
import { PreparedImages } from "./PreparedImages.ts"
import type { ShardedSplit } from "./PreparedSplit.ts"
import type { Prepared } from "./prepare-example.ts"

export interface ShardedWriterOptions<A> {
  readonly store: BlobStore["Service"]
  /** Of every image. */
  readonly size: PreparedImages<A>["size"]
  /** Of the images of a shard, at most; one image at least. */
  readonly shardBytes: number
  readonly labelOf: (about: A) => number
  readonly encode: (images: PreparedImages<A>) => Uint8Array
  /** Per channel, 0…255. */
  readonly paddingColour: ReadonlyArray<number>
}

export class ShardedWriter<A> {
  readonly #options: ShardedWriterOptions<A>
  readonly #capacity: number
  readonly #labels: Array<number> = []
  readonly #shards: Array<ShardedSplit["shards"][number]> = []
  #open: PreparedImages<A> | undefined

  constructor(options: ShardedWriterOptions<A>) {
    const { height, width, channels } = options.size
    this.#options = options
    this.#capacity = Math.max(1, Math.floor(options.shardBytes / (height * width * channels)))
  }

  readonly add = Effect.fnUntraced({ self: this }, function* (example: Prepared<A>) {
    this.#open ??= new PreparedImages<A>(this.#capacity, this.#options.size)
    this.#open.add(example)
    this.#labels.push(this.#options.labelOf(example.about))
    if (this.#open.about.length === this.#capacity) yield* this.#put(this.#open)
  })

  /** The split, when all have been added. */
  readonly finish = Effect.fnUntraced({ self: this }, function* () {
    if (this.#open !== undefined && this.#open.about.length > 0) yield* this.#put(this.#open)
    const { size, store } = this.#options
    const { height, width, channels } = size
    const labels = yield* store.put(encodeLabels(Int32Array.from(this.#labels)))
    const numExamples = this.#labels.length
    return { numExamples, height, width, channels, labels, shards: this.#shards } satisfies ShardedSplit
  })

  readonly #put = Effect.fnUntraced({ self: this }, function* (images: PreparedImages<A>) {
    const { encode, paddingColour, store } = this.#options
    images.fillPadding(paddingColour)
    const numExamples = images.about.length
    this.#shards.push({ ...(yield* store.put(encode(images))), numExamples })
    images.clear()
  })
}
