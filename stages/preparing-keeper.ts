/** Where `preprocess` keeps what it goes on from: the private state of its job. */
import { Clock, Effect, Option } from "effect"
import {
  blobsOfState,
  decodePreparingState,
  encodePreparingState,
  type FinishedSplit,
  type PreparingState,
  type StartedSplit
} from "../lib/data/preparing-state.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { JobContext, JobStopped } from "../lib/workflow/JobContext.ts"

/** A state holds what waits for a shard to be full, up to two of them. */
export const usualIntervalMillis = 180_000

const nothing: PreparingState = { finished: {}, started: null }

/** What an earlier attempt has left, if all of it is still there. */
const foundState = Effect.fn("preparing.found")(function* () {
  const job = yield* JobContext
  const blobs = yield* BlobStore
  const bytes = yield* job.loadResumePoint
  if (Option.isNone(bytes)) return nothing
  const state = yield* Effect.option(decodePreparingState(bytes.value))
  const isWhole =
    Option.isSome(state) &&
    (yield* Effect.forEach(blobsOfState(state.value), (ref) => blobs.has(ref), { concurrency: 16 })).every(
      Boolean
    )
  if (!isWhole) {
    yield* job.note("what an earlier attempt has prepared cannot be used: it starts anew")
    return nothing
  }
  const { finished, started } = state.value
  const within = started === null ? [] : [`${started.position.seen} of ${started.name}`]
  yield* job.note(`goes on after the images of ${[...Object.keys(finished), ...within].join(", ")}`)
  return state.value
})

/** Fails with `JobStopped` once that was asked for. */
export const preparingKeeper = Effect.fn("preparingKeeper")(function* (intervalMillis: number) {
  const job = yield* JobContext
  let state = yield* foundState()
  let savedAt = yield* Clock.currentTimeMillis
  const save = Effect.fnUntraced(function* (next: PreparingState) {
    yield* job.saveResumePoint(encodePreparingState(next))
    savedAt = yield* Clock.currentTimeMillis
  })
  const keep = Effect.fnUntraced(function* (started: (() => StartedSplit) | undefined) {
    // Whoever calls with a state has taken over what was found: it is let go of.
    if (started !== undefined) state = { ...state, started: null }
    const isStopping = yield* job.stopRequested
    const isDue = (yield* Clock.currentTimeMillis) - savedAt >= intervalMillis
    if (started !== undefined && (isStopping || isDue)) yield* save({ ...state, started: started() })
    if (isStopping) return yield* new JobStopped({ message: "stopped between two groups of images" })
  })
  const finish = Effect.fnUntraced(function* (name: string, split: FinishedSplit) {
    state = { finished: { ...state.finished, [name]: split }, started: null }
    yield* save(state)
  })
  return {
    finished: (name: string) => state.finished[name],
    started: (name: string) => (state.started?.name === name ? state.started : undefined),
    keep,
    finish
  }
})
