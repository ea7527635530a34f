/**
 * The private states of jobs: bytes under their digest, and a pointer that is replaced atomically.
 *
 * Under a stem (`resume/<scope>/<job key>/`, `folds/<scope>/ab/<62 digits>.`) `pointer.json` names
 * `<digest>`. The state before stays until the pointer to the new one is written, so a kill at any moment
 * leaves one of them. These objects are no blobs: removing them cannot take anything from an artifact. A
 * pointer is signed for its place: a state that nobody trusted has saved there counts as none.
 */
import { Effect, Option, Schema, Stream } from "effect"
import { Digest, Hasher, hexOf } from "../storage/Digest.ts"
import { ObjectStore, StoreUnavailable } from "../storage/ObjectStore.ts"
import { type Scope, Signature } from "../storage/Signature.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"
import { StateSeals } from "./StateSeals.ts"

/** Where the objects of a state lie. */
export interface StateStem {
  readonly scope: Scope
  readonly stem: string
}

export const Pointer = Schema.Struct({
  schemaVersion: Schema.Literal(3),
  state: Digest,
  sizeBytes: Schema.Int,
  /** Key of the job that saved the state first. */
  job: Digest,
  /** Run that saved it last. */
  runId: Schema.String,
  ...Signature.fields
})
export type Pointer = typeof Pointer.Type

/** A hundred times what a pointer takes. */
const pointerBytesMax = 65_536

const pointerKey = ({ stem }: StateStem): string => `${stem}pointer.json`
const stateKey = ({ stem }: StateStem, state: Digest): string => `${stem}${hexOf(state)}`

/** A state, or why there is none (`undefined` where none was ever saved). */
export interface Loaded {
  readonly bytes: Option.Option<Uint8Array>
  readonly problem: string | undefined
}

/** Bits also flip on the way here: what is wrong each time counts as damaged. */
const numReadsMax = 2

const none = (problem: string | undefined): Loaded => ({ bytes: Option.none(), problem })

/** Whether a pointer is there; nothing is read. */
export const exists = Effect.fn("PrivateState.exists")(function* (place: StateStem) {
  return Option.isSome(yield* ifPresent((yield* ObjectStore).head(pointerKey(place))))
})

/** `None` where there is no pointer, or an unreadable one. Whoever has written it. */
export const pointerAt = Effect.fn("PrivateState.pointerAt")(function* (place: StateStem) {
  return Option.flatten(yield* ifPresent(readJson(Pointer, pointerKey(place), pointerBytesMax)))
})

const doubtOf = Effect.fnUntraced(function* (
  { scope, stem }: StateStem,
  { job, keyId, runId, signature, sizeBytes, state }: Pointer
) {
  const claim = { scope, stem, state, sizeBytes, job, runId }
  return yield* (yield* StateSeals).doubt(claim, { keyId, signature })
})

const decodePointer = Schema.decodeUnknownOption(Pointer)
const isUnsigned = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "state" in value && !("signature" in value)

/**
 * The latest saved state; one that is broken, or that nobody trusted has saved, counts as none, with the
 * reason. `onlyOf`: one that another run has saved last counts as none, too.
 */
export const load = Effect.fn("PrivateState.load")(function* (place: StateStem, onlyOf?: string) {
  const store = yield* ObjectStore
  const hasher = yield* Hasher
  const read = yield* ifPresent(readJson(Schema.Json, pointerKey(place), pointerBytesMax))
  if (Option.isNone(read)) return none(undefined)
  const pointer = Option.getOrUndefined(Option.flatMap(read.value, decodePointer))
  if (pointer === undefined) {
    const wasSaved = Option.exists(read.value, isUnsigned)
    return none(wasSaved ? "its pointer is not signed" : "its pointer is unreadable")
  }
  if (onlyOf !== undefined && pointer.runId !== onlyOf) return none(undefined)
  const doubt = yield* doubtOf(place, pointer)
  if (doubt !== undefined) return none(doubt)
  const { sizeBytes, state } = pointer
  const get = store.get(stateKey(place, state), sizeBytes).pipe(
    // As good as other bytes.
    Effect.catchTag("ObjectTooLarge", () => Effect.succeed(new Uint8Array(0))),
    ifPresent
  )
  for (let numReads = 0; numReads < numReadsMax; numReads++) {
    const bytes = yield* get
    if (Option.isNone(bytes)) return none("the bytes it points to are gone")
    if (hasher.digest(bytes.value) === state) return { bytes, problem: undefined } as Loaded
  }
  return none("its bytes were damaged")
})

/** Replaces the saved state. Equal bytes stay with the job that saved them first. */
export const save = Effect.fn("PrivateState.save")(function* (
  place: StateStem,
  { job, runId }: Pick<Pointer, "job" | "runId">,
  bytes: Uint8Array
) {
  const store = yield* ObjectStore
  const state = (yield* Hasher).digest(bytes)
  const before = Option.getOrUndefined(yield* pointerAt(place))
  const isSame = before?.state === state
  yield* store.put(stateKey(place, state), bytes)
  const owner = isSame && (yield* doubtOf(place, before)) === undefined ? before.job : job
  const claim = { state, sizeBytes: bytes.length, job: owner, runId }
  const signature = yield* (yield* StateSeals)
    .seal({ ...place, ...claim })
    .pipe(
      Effect.mapError(
        ({ message }) => new StoreUnavailable({ operation: "write", key: pointerKey(place), reason: message })
      )
    )
  yield* writeJson(Pointer, pointerKey(place), { schemaVersion: 3, ...claim, ...signature })
  if (before !== undefined && !isSame) yield* store.remove(stateKey(place, before.state))
})

/** Makes the state young: it is used. A pointer that is replaced meanwhile is newer, and stays. */
export const touch = Effect.fn("PrivateState.touch")(function* (place: StateStem) {
  const { version } = yield* (yield* ObjectStore).head(pointerKey(place))
  const pointer = yield* pointerAt(place)
  if (Option.isNone(pointer)) return
  yield* writeJson(Pointer, pointerKey(place), pointer.value, { _tag: "Version", version })
})

/** Removes all that was saved under the stem; the pointer first, so that it never points to nothing. */
export const clear = Effect.fn("PrivateState.clear")(function* (place: StateStem) {
  const store = yield* ObjectStore
  // Most jobs save nothing: then there is nothing to remove either.
  const saved = yield* Stream.runCollect(store.list(place.stem))
  if (saved.length === 0) return
  yield* store.remove(pointerKey(place))
  for (const { key } of saved) yield* store.remove(key)
})
