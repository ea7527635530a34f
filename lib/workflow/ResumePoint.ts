/**
 * The private state a job goes on from: bytes under their digest, and a pointer that is replaced atomically.
 *
 * `resume/<job key>/pointer.json` names `resume/<job key>/<digest>`. The state before stays until the pointer
 * to the new one is written, so a kill at any moment leaves one of them. These objects belong to one job key
 * and are no blobs: removing them cannot take anything from an artifact.
 */
import { Effect, Option, Schema, Stream } from "effect"
import { Digest, Hasher, hexOf } from "../storage/Digest.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"

const Pointer = Schema.Struct({ schemaVersion: Schema.Literal(1), state: Digest })

const folder = (jobKey: Digest): string => `resume/${hexOf(jobKey)}/`
const pointerKey = (jobKey: Digest): string => `${folder(jobKey)}pointer.json`
const stateKey = (jobKey: Digest, state: Digest): string => `${folder(jobKey)}${hexOf(state)}`

/** A state, or why there is none (`undefined` where none was ever saved). */
export interface Loaded {
  readonly bytes: Option.Option<Uint8Array>
  readonly problem: string | undefined
}

const none = (problem: string | undefined): Loaded => ({ bytes: Option.none(), problem })

/** The latest saved state; a broken one counts as none, with the reason. */
export const load = Effect.fn("ResumePoint.load")(function* (jobKey: Digest) {
  const store = yield* ObjectStore
  const hasher = yield* Hasher
  const read = yield* ifPresent(readJson(Pointer, pointerKey(jobKey)))
  if (Option.isNone(read)) return none(undefined)
  if (Option.isNone(read.value)) return none("its pointer is unreadable")
  const { state } = read.value.value
  const bytes = yield* ifPresent(store.get(stateKey(jobKey, state)))
  if (Option.isNone(bytes)) return none("the bytes it points to are gone")
  if (hasher.digest(bytes.value) !== state) return none("its bytes were damaged")
  return { bytes, problem: undefined } as Loaded
})

/** Replaces the saved state. */
export const save = Effect.fn("ResumePoint.save")(function* (jobKey: Digest, bytes: Uint8Array) {
  const store = yield* ObjectStore
  const state = (yield* Hasher).digest(bytes)
  const before = Option.flatten(yield* ifPresent(readJson(Pointer, pointerKey(jobKey))))
  yield* store.put(stateKey(jobKey, state), bytes)
  yield* writeJson(Pointer, pointerKey(jobKey), { schemaVersion: 1, state })
  if (Option.isSome(before) && before.value.state !== state) {
    yield* store.remove(stateKey(jobKey, before.value.state))
  }
})

/** Removes all that was saved under the key; the pointer first, so that it never points to nothing. */
export const clear = Effect.fn("ResumePoint.clear")(function* (jobKey: Digest) {
  const store = yield* ObjectStore
  yield* store.remove(pointerKey(jobKey))
  yield* Stream.runForEach(store.list(folder(jobKey)), (info) => store.remove(info.key))
})
