/**
 * Two sets of feed arrays: while a step runs on one, the batch of the next step is written into the other.
 * The time steps wait for their batch is measured, so that a starving machine shows.
 */
import { Clock, Effect, Fiber } from "effect"
import type { BatchPosition, TrainingBatches } from "../data/batches.ts"
import type { ImagesError } from "../data/ShardedImages.ts"
import type { Feeds } from "../tensor/Runtime.ts"

export class Prefetch<I extends string> {
  readonly #batches: TrainingBatches<I>
  #ready: Feeds<I>
  #spare: Feeds<I>
  #nanos = { preparing: 0n, waiting: 0n }

  /** @param allocate makes one set of arrays: the compiled step's, which it runs on without a copy */
  static make<I extends string>(
    batches: TrainingBatches<I>,
    allocate: Effect.Effect<Feeds<I>>
  ): Effect.Effect<Prefetch<I>> {
    return Effect.map(Effect.all([allocate, allocate]), (sets) => new Prefetch(batches, sets))
  }

  private constructor(batches: TrainingBatches<I>, [ready, spare]: readonly [Feeds<I>, Feeds<I>]) {
    this.#batches = batches
    this.#ready = ready
    this.#spare = spare
  }

  /** Makes the very first batch ready; nothing runs meanwhile, so all of it is waiting. */
  begin(position: BatchPosition): Effect.Effect<void, ImagesError> {
    return Effect.map(this.#prepare(position), (nanos) => {
      this.#nanos.waiting += nanos
      this.#swap()
    })
  }

  /**
   * Runs one step on the batch that is ready while the batch of `next` is prepared (none after the last
   * step). A step that ends before the preparation counts as having waited for all of it: an upper bound.
   */
  overlap<A, E, R>(
    step: (feeds: Feeds<I>) => Effect.Effect<A, E, R>,
    next: BatchPosition | undefined
  ): Effect.Effect<A, E | ImagesError, R> {
    return Effect.gen({ self: this }, function* () {
      const running = yield* Effect.forkChild(step(this.#ready), {
        startImmediately: true,
        // A step that has begun ends before anything it uses is closed.
        uninterruptible: true
      })
      const nanos = next === undefined ? 0n : yield* this.#prepare(next)
      // Two turns of the event loop, so that a result from another thread has arrived if it is there.
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      if (running.pollUnsafe() !== undefined) this.#nanos.waiting += nanos
      const result = yield* Fiber.join(running)
      this.#swap()
      return result
    })
  }

  /** Seconds spent on making batches, and the part of them that steps waited for. */
  get seconds(): { readonly preparing: number; readonly waiting: number } {
    return { preparing: Number(this.#nanos.preparing) / 1e9, waiting: Number(this.#nanos.waiting) / 1e9 }
  }

  #prepare(position: BatchPosition): Effect.Effect<bigint, ImagesError> {
    return Effect.gen({ self: this }, function* () {
      const began = yield* Clock.monotonicTimeNanos
      yield* this.#batches.ready?.(position) ?? Effect.void
      this.#batches.fill(position, this.#spare)
      const nanos = (yield* Clock.monotonicTimeNanos) - began
      this.#nanos.preparing += nanos
      return nanos
    })
  }

  #swap(): void {
    const ready = this.#ready
    this.#ready = this.#spare
    this.#spare = ready
  }
}
