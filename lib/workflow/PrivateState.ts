/**
 * The private states of jobs: bytes under their digest, and a pointer that is replaced atomically.
 *
 * Under a stem (`resume/<scope>/<job key>/`, `folds/<scope>/ab/<62 digits>.`) `pointer.json` names
 * `<digest>`. The state before stays until the pointer to the new one is written, so a kill at any moment
 * leaves one of them. These objects are no blobs: removing them cannot take anything from an artifact. They
 * are not signed, so each scope has its own.
 */
import { Effect, Option, Schema, Stream } from "effect"
import { Digest, Hasher, hexOf } from "../storage/Digest.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"

export const Pointer = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  state: Digest,
  /** Key of the job that saved the state first. */
  job: Digest,
  /** Run that saved it last. */
  runId: Schema.String
})
export type Pointer = typeof Pointer.Type

const pointerKey = (stem: string): string => `${stem}pointer.json`
const stateKey = (stem: string, state: Digest): string => `${stem}${hexOf(state)}`

/** A state, or why there is none (`undefined` where none was ever saved). */
export interface Loaded {
  readonly bytes: Option.Option<Uint8Array>
  readonly problem: string | undefined
}

/** Bits also flip on the way here: what is wrong each time counts as damaged. */
const numReadsMax = 2

const none = (problem: string | undefined): Loaded => ({ bytes: Option.none(), problem })

/** Whether a pointer is there; nothing is read. */
export const exists = Effect.fn("PrivateState.exists")(function* (stem: string) {
  return Option.isSome(yield* ifPresent((yield* ObjectStore).head(pointerKey(stem))))
})

/** `None` where there is no pointer, or an unreadable one. */
export const pointerAt = Effect.fn("PrivateState.pointerAt")(function* (stem: string) {
  return Option.flatten(yield* ifPresent(readJson(Pointer, pointerKey(stem))))
})

/** The latest saved state; a broken one counts as none, with the reason. */
export const load = Effect.fn("PrivateState.load")(function* (stem: string) {
  const store = yield* ObjectStore
  const hasher = yield* Hasher
  const read = yield* ifPresent(readJson(Pointer, pointerKey(stem)))
  if (Option.isNone(read)) return none(undefined)
  if (Option.isNone(read.value)) return none("its pointer is unreadable")
  const { state } = read.value.value
  for (let numReads = 0; numReads < numReadsMax; numReads++) {
    const bytes = yield* ifPresent(store.get(stateKey(stem, state)))
    if (Option.isNone(bytes)) return none("the bytes it points to are gone")
    if (hasher.digest(bytes.value) === state) return { bytes, problem: undefined } as Loaded
  }
  return none("its bytes were damaged")
})

/** Replaces the saved state. Equal bytes stay with the job that saved them first. */
export const save = Effect.fn("PrivateState.save")(function* (
  stem: string,
  { job, runId }: Pick<Pointer, "job" | "runId">,
  bytes: Uint8Array
) {
  const store = yield* ObjectStore
  const state = (yield* Hasher).digest(bytes)
  const before = yield* pointerAt(stem)
  const isSame = Option.isSome(before) && before.value.state === state
  yield* store.put(stateKey(stem, state), bytes)
  const owner = isSame ? before.value.job : job
  yield* writeJson(Pointer, pointerKey(stem), { schemaVersion: 2, state, job: owner, runId })
  if (Option.isSome(before) && !isSame) yield* store.remove(stateKey(stem, before.value.state))
})

/** Makes the state young: it is used. A pointer that is replaced meanwhile is newer, and stays. */
export const touch = Effect.fn("PrivateState.touch")(function* (stem: string) {
  const { version } = yield* (yield* ObjectStore).head(pointerKey(stem))
  const pointer = yield* pointerAt(stem)
  if (Option.isNone(pointer)) return
  yield* writeJson(Pointer, pointerKey(stem), pointer.value, { _tag: "Version", version })
})

/** Removes all that was saved under the stem; the pointer first, so that it never points to nothing. */
export const clear = Effect.fn("PrivateState.clear")(function* (stem: string) {
  const store = yield* ObjectStore
  // Most jobs save nothing: then there is nothing to remove either.
  const saved = yield* Stream.runCollect(store.list(stem))
  if (saved.length === 0) return
  yield* store.remove(pointerKey(stem))
  for (const { key } of saved) yield* store.remove(key)
})
