/**
 * Work that is a fold: a state, and elements that act on it one after another (the epochs of a training).
 *
 * The state after an element has a key, made of the *key* of the state before and of the element. So a job
 * that was killed, one that has more elements than another, and one that shares only its beginning with
 * another all ask the same question: which is the latest of my states that is stored? States that were let go
 * do not break the chain. They are private (`PrivateState`), stand outside of artifacts, and serve every job
 * of the same stage, code and inputs. A state that is damaged, or not signed by somebody trusted, counts as
 * absent.
 */
import { Context, Effect, Option, type Schema } from "effect"
import { type Digest, Hasher, hexOf } from "../storage/Digest.ts"
import type { ObjectStore, StoreError } from "../storage/ObjectStore.ts"
import type { Scope } from "../storage/Signature.ts"
import { fingerprint } from "./Fingerprint.ts"
import * as PrivateState from "./PrivateState.ts"
import type { StateSeals } from "./StateSeals.ts"

export interface FoldOptions {
  /** What acts from the start, beside the job's stage, code and inputs: architecture, seed, ... */
  readonly start: Schema.Json
  /** What acts in each element, in order: all that a state depends on must be here or in `start`. */
  readonly elements: ReadonlyArray<Schema.Json>
  /** After so many elements other jobs may want to go on another way: these states are kept for them. */
  readonly forkPoints?: ReadonlyArray<number>
}

/** The state after the first `done` elements. */
export interface Folded<A> {
  readonly done: number
  readonly state: A
}

export interface Fold {
  /**
   * The stored state after the most elements; `None`: the fold starts at its start. One that is damaged, or
   * that `decode` fails on, is passed over with a note.
   */
  readonly latest: <A, E, R>(
    decode: (bytes: Uint8Array) => Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<Folded<A>>, StoreError, R>
  /** Saves the state after `done` elements (from 1), and lets go of those that need not be kept any more. */
  readonly save: (done: number, bytes: Uint8Array) => Effect.Effect<void, StoreError>
}

/** How many states a job leaves: the last two, and the latest fork points up to `states` in all. */
export const FoldPolicy = Context.Reference<{ readonly states: number }>("lib/workflow/FoldPolicy", {
  defaultValue: () => ({ states: 6 })
})

/** What the engine knows of a job's folds. */
export interface FoldOrigin {
  /** Where their keys begin: see `foldBase`. */
  readonly base: Digest
  /** Whose states these are: those of other scopes are not looked at. */
  readonly scope: Scope
  readonly runId: string
  /** Whether only states of this run count, as for a job that is computed again on purpose. */
  readonly fromScratch: boolean
}

/** Whose fold it is. */
export interface FoldJob extends FoldOrigin {
  readonly jobKey: Digest
  readonly note: (line: string) => Effect.Effect<void>
  readonly provenance: (facts: Schema.JsonObject) => Effect.Effect<void>
}

/** Keys of the states: of the start, and after each element. Throws `NotCanonical`. */
export const stateKeys = (
  hasher: Hasher["Service"],
  base: Digest,
  { elements, start }: FoldOptions
): ReadonlyArray<Digest> => {
  let before = base
  return [start, ...elements].map((element) => (before = fingerprint(hasher, "fold/1", { before, element })))
}

export const folderOf = (scope: Scope): string => `folds/${scope}/`

/** Two levels, as for blobs. A stem and no folder: those would stay behind, empty. */
export const stemOf = (scope: Scope, key: Digest): PrivateState.StateStem => {
  const hex = hexOf(key)
  return { scope, stem: `${folderOf(scope)}${hex.slice(0, 2)}/${hex.slice(2)}.` }
}

/** A fold under way. */
interface Chain {
  readonly job: FoldJob
  /** Where each state lies, by the number of elements before it. */
  readonly stems: ReadonlyArray<PrivateState.StateStem>
  readonly forkPoints: ReadonlyArray<number>
  /** How many states are kept. */
  readonly states: number
  /** States that this job may have stored, as numbers of elements. */
  readonly own: Set<number>
}

/** The states to keep after `done` elements, as numbers of elements. */
const keptAfter = (done: number, { forkPoints, states }: Chain): ReadonlyArray<number> => {
  const last = [done, done - 1].filter((count) => count > 0).slice(0, states)
  const forks = forkPoints.filter((point) => point > 0 && point < done - 1).sort((a, b) => b - a)
  return [...last, ...forks.slice(0, states - last.length)]
}

/** Only what this job saved: the states of another are kept for as long as that one keeps them. */
const letGo = Effect.fn("Fold.letGo")(function* (chain: Chain, done: number) {
  const kept = keptAfter(done, chain)
  for (const count of [...chain.own].filter((one) => !kept.includes(one))) {
    const stem = chain.stems[count]!
    const pointer = yield* PrivateState.pointerAt(stem)
    if (Option.isSome(pointer) && pointer.value.job === chain.job.jobKey) yield* PrivateState.clear(stem)
    chain.own.delete(count)
  }
})

/** Pointers that are looked for at once. */
const numAtOnce = 16

/** The largest number of elements whose state has a pointer and is not in `except`; 0: there is none. */
const newestStored = Effect.fn("Fold.newestStored")(function* (
  { job, stems }: Chain,
  except: ReadonlySet<number>
) {
  const isStored = (count: number) =>
    job.fromScratch
      ? Effect.map(PrivateState.pointerAt(stems[count]!), (pointer) =>
          Option.exists(pointer, ({ runId }) => runId === job.runId)
        )
      : PrivateState.exists(stems[count]!)
  for (let most = stems.length - 1; most > 0; most -= numAtOnce) {
    const counts = Array.from({ length: Math.min(numAtOnce, most) }, (_, index) => most - index)
    const stored = yield* Effect.filter(
      counts.filter((count) => !except.has(count)),
      isStored,
      { concurrency: numAtOnce }
    )
    if (stored[0] !== undefined) return stored[0]
  }
  return 0
})

/**
 * How many of the first `done` elements, whose state is stored, an earlier attempt of this job executed:
 * those behind the latest state of another one, as far as that is still stored.
 */
const ownBefore = Effect.fn("Fold.ownBefore")(function* ({ job, stems }: Chain, done: number) {
  // The state itself tells mostly; only behind one's own there is something to look for.
  for (let most = done, count = 1; most > 0; most -= count, count = numAtOnce) {
    const counts = Array.from({ length: Math.min(count, most) }, (_, index) => most - index)
    const pointers = yield* Effect.forEach(counts, (one) => PrivateState.pointerAt(stems[one]!), {
      concurrency: numAtOnce
    })
    const other = pointers.findIndex(Option.exists((pointer) => pointer.job !== job.jobKey))
    if (other >= 0) return done - counts[other]!
  }
  return done
})

const latest = Effect.fn("Fold.latest")(function* <A, E, R>(
  chain: Chain,
  decode: (bytes: Uint8Array) => Effect.Effect<A, E, R>
) {
  const numElements = chain.stems.length - 1
  const unusable = new Set<number>()
  // Always from the newest: since a state was found, another run may have saved later ones and let it go.
  for (;;) {
    const done = yield* newestStored(chain, unusable)
    if (done === 0) return Option.none<Folded<A>>()
    const stem = chain.stems[done]!
    const { fromScratch, runId } = chain.job
    const { bytes, problem } = yield* PrivateState.load(stem, fromScratch ? runId : undefined)
    const state = Option.isNone(bytes) ? Option.none<A>() : yield* Effect.option(decode(bytes.value))
    if (Option.isSome(state)) {
      // An attempt that was killed may have left what it was about to let go of.
      for (const count of [...keptAfter(done, chain), ...keptAfter(done - 1, chain)]) chain.own.add(count)
      // It only postpones when the state is garbage: nothing to fail for.
      yield* Effect.ignore(PrivateState.touch(stem))
      const own = yield* ownBefore(chain, done)
      const fold = { elements: numElements, found: done, ...(own > 0 && { own }) }
      yield* chain.job.provenance({ fold })
      return Option.some<Folded<A>>({ done, state: state.value })
    }
    unusable.add(done)
    const why = Option.isSome(bytes) ? "it cannot be read" : (problem ?? "it is gone")
    yield* chain.job.note(`the state after ${done} of ${numElements} is not used: ${why}`)
  }
})

const save = Effect.fn("Fold.save")(function* (chain: Chain, done: number, bytes: Uint8Array) {
  const { jobKey, runId } = chain.job
  yield* PrivateState.save(chain.stems[done]!, { job: jobKey, runId }, bytes)
  chain.own.add(done)
  // A state too many does no harm, and the next save tries again.
  yield* Effect.ignore(letGo(chain, done))
})

/** The fold of a job's body. Dies where the description of an element has no stable JSON form. */
export const make = Effect.fn("Fold.make")(function* (job: FoldJob, options: FoldOptions) {
  const services = yield* Effect.context<ObjectStore | Hasher | StateSeals>()
  const { states } = yield* FoldPolicy
  const keys = stateKeys(yield* Hasher, job.base, options)
  const stems = keys.map((key) => stemOf(job.scope, key))
  const chain: Chain = { job, stems, forkPoints: options.forkPoints ?? [], states, own: new Set() }
  return {
    latest: (decode) => Effect.provide(latest(chain, decode), services),
    save: (done, bytes) => Effect.provide(save(chain, done, bytes), services)
  } satisfies Fold as Fold
})
