/** What a person watching wants to know, told at most twice a second. */
import { Clock, Effect } from "effect"

export interface Progress {
  /** From 1. */
  readonly epoch: number
  readonly epochs: number
  /** Steps done in this epoch. */
  readonly step: number
  /** Steps of an epoch. */
  readonly steps: number
  /** Parts of the next step that are done; each is a micro-batch. */
  readonly part: number
  /** Parts of a step. */
  readonly parts: number
  readonly imagesPerSecond: number
  /** Mean over the epoch so far. */
  readonly loss: number
  /** Where the loss is scaled: by what, and the steps of this epoch that it made the optimizer skip. */
  readonly scaling?: { readonly lossScale: number; readonly skippedSteps: number } | undefined
}

export type OnProgress = (progress: Progress) => Effect.Effect<void>

const intervalMillis = 500

/** Calls `tell` when the last time was half a second ago or more; counts images for the rate in between. */
export const throttled = (tell: OnProgress, batchSize: number) =>
  Effect.gen(function* () {
    let toldAt = yield* Clock.currentTimeMillis
    let images = 0
    return Effect.fnUntraced(function* (progress: Omit<Progress, "imagesPerSecond">) {
      images += batchSize
      const now = yield* Clock.currentTimeMillis
      if (now - toldAt < intervalMillis) return
      const imagesPerSecond = (images * 1000) / (now - toldAt)
      toldAt = now
      images = 0
      yield* tell({ ...progress, imagesPerSecond })
    })
  })
