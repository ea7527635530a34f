/** Labelled images of a split as shards, written while they come: no more than one shard of them is held. */
import { Effect } from "effect"
import type { BlobStore } from "../storage/BlobStore.ts"
import { type FittedImage, imageBytes, type Target } from "./fit-image.ts"
import { encodeLabelledImages, encodeLabels } from "./labelled-images.ts"
import { labelledOf, PreparedImages } from "./PreparedImages.ts"
import type { ShardedSplit } from "./PreparedSplit.ts"

export interface ShardedWriterOptions {
  readonly store: BlobStore["Service"]
  /** Of every image. */
  readonly size: Pick<Target, "height" | "width" | "channels">
  /** Of the images of a shard, at most; one image at least. */
  readonly shardBytes: number
  /** Per channel, 0…255. */
  readonly paddingColour: ReadonlyArray<number>
}

/** What a writer goes on from. */
export interface WriterState {
  readonly shards: ShardedSplit["shards"]
  /** Of all images so far, `[N]`. */
  readonly labels: Int32Array
  /** The last of them, whose shard is not full yet: `[n, H, W, C]`, flat, with their padding filled. */
  readonly waiting: Uint8Array
}

export class ShardedWriter {
  readonly #options: ShardedWriterOptions
  readonly #capacity: number
  readonly #labels: Array<number> = []
  readonly #shards: Array<ShardedSplit["shards"][number]> = []
  #open: PreparedImages<number> | undefined

  constructor(options: ShardedWriterOptions, from?: WriterState) {
    this.#options = options
    this.#capacity = Math.max(1, Math.floor(options.shardBytes / imageBytes(this.#options.size)))
    if (from !== undefined) this.#restore(from)
  }

  readonly add = Effect.fnUntraced({ self: this }, function* (image: FittedImage, label: number) {
    const open = this.#hold(image, label)
    if (open.about.length === this.#capacity) yield* this.#put(open)
  })

  /** Between two images. */
  get state(): WriterState {
    this.#open?.fillPadding(this.#options.paddingColour)
    const waiting = this.#open?.images ?? new Uint8Array()
    return { shards: [...this.#shards], labels: Int32Array.from(this.#labels), waiting }
  }

  /** The split, when all have been added. */
  readonly finish = Effect.fnUntraced({ self: this }, function* () {
    if (this.#open !== undefined && this.#open.about.length > 0) yield* this.#put(this.#open)
    const { size, store } = this.#options
    const { height, width, channels } = size
    const labels = yield* store.put(encodeLabels(Int32Array.from(this.#labels)))
    const numExamples = this.#labels.length
    return { numExamples, height, width, channels, labels, shards: this.#shards } satisfies ShardedSplit
  })

  #restore({ labels, shards, waiting }: WriterState): void {
    const { height, width } = this.#options.size
    const extent = { rows: height, columns: width }
    const sizeBytes = imageBytes(this.#options.size)
    const first = labels.length - waiting.length / sizeBytes
    this.#shards.push(...shards)
    for (const [at, label] of labels.entries()) {
      const start = (at - first) * sizeBytes
      if (at < first) this.#labels.push(label)
      else this.#hold({ extent, pixels: waiting.subarray(start, start + sizeBytes) }, label)
    }
  }

  #hold(image: FittedImage, label: number): PreparedImages<number> {
    this.#open ??= new PreparedImages<number>(this.#capacity, this.#options.size)
    this.#open.add({ ...image, about: label })
    this.#labels.push(label)
    return this.#open
  }

  readonly #put = Effect.fnUntraced({ self: this }, function* (images: PreparedImages<number>) {
    const { paddingColour, store } = this.#options
    images.fillPadding(paddingColour)
    const numExamples = images.about.length
    this.#shards.push({ ...(yield* store.put(encodeLabelledImages(labelledOf(images)))), numExamples })
    images.clear()
  })
}
