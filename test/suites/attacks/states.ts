/** States that jobs go on from, planted or tampered with by somebody who may write where they lie. */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import { signingLayer } from "../../../infra/signing/signing.ts"
import { Hasher, hexOf } from "../../../lib/storage/Digest.ts"
import { ObjectStore, type StoreError } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import * as Fold from "../../../lib/workflow/Fold.ts"
import * as PrivateState from "../../../lib/workflow/PrivateState.ts"
import * as ResumePoint from "../../../lib/workflow/ResumePoint.ts"
import { stateMessage, stateSealsLayer } from "../../../lib/workflow/StateSeals.ts"
import { bytesOf, mine, owner, pr, reader, type Storage, stranger, type Test } from "./scene.ts"

/** With the owner's key, and the stranger's for pull requests. */
export const stateSeals = Layer.provide(stateSealsLayer, signingLayer({ ...mine, ...reader }))

const job = digestOf("job")
export const statePlaces: ReadonlyArray<readonly [what: string, place: PrivateState.StateStem]> = [
  ["of a job", ResumePoint.stemOf({ scope: mainScope, jobKey: job })],
  ["of a fold", Fold.stemOf(mainScope, digestOf("state"))]
]

export const savedBytes = bytesOf("the weights so far")
const evil = bytesOf("evil weights so far")

interface StateScene {
  readonly place: PrivateState.StateStem
  readonly store: ObjectStore["Service"]
  readonly pointer: string
  readonly bytes: string
  /** As it was saved. */
  readonly saved: PrivateState.Pointer
}

const pointerOf = ({ stem }: PrivateState.StateStem): string => `${stem}pointer.json`

const writePointer = ({ pointer, store }: StateScene, content: unknown) =>
  store.put(pointer, bytesOf(JSON.stringify(content)))

/** The bytes in place, and the pointer that says so, by whoever signs. */
const planted = (scene: StateScene, keyId = stranger.keyId) =>
  Effect.gen(function* () {
    const { place, store } = scene
    const claim = { state: digestOf(evil), sizeBytes: evil.length, job, runId: "run" }
    const { signature } = stranger.sign(stateMessage({ ...place, ...claim }))
    yield* store.put(`${place.stem}${hexOf(claim.state)}`, evil)
    yield* writePointer(scene, { schemaVersion: 3, ...claim, keyId, signature })
  })

/** What the owner has saved elsewhere, put here. */
const replayed = (scene: StateScene, from: PrivateState.StateStem) =>
  Effect.gen(function* () {
    const { place, store } = scene
    yield* PrivateState.save(from, { job, runId: "run" }, evil).pipe(Effect.provide(stateSeals))
    const bytes = hexOf(digestOf(evil))
    yield* store.put(`${place.stem}${bytes}`, yield* store.get(`${from.stem}${bytes}`))
    yield* store.put(scene.pointer, yield* store.get(pointerOf(from)))
  })

const changed = "it was changed after it was signed, or signed for another place"
const unreadable = "its pointer is unreadable"
const notTrusted = /^it is signed by a key that is not trusted; to trust it: npx distillery key trust/

type StateAttack = readonly [
  what: string,
  attack: (scene: StateScene) => Effect.Effect<unknown, StoreError, Storage>,
  problem: string | RegExp
]

export const stateAttacks: ReadonlyArray<StateAttack> = [
  [
    "not signed, as by an earlier version",
    (scene) => {
      const { job: saver, runId, state } = scene.saved
      return writePointer(scene, { schemaVersion: 2, state, job: saver, runId })
    },
    "its pointer is not signed"
  ],
  ["planted, by a key that counts for pull requests", (scene) => planted(scene), notTrusted],
  ["planted, in the owner's name", (scene) => planted(scene, owner.keyId), changed],
  [
    "replayed from another job",
    (scene) => replayed(scene, ResumePoint.stemOf({ scope: mainScope, jobKey: digestOf("other") })),
    changed
  ],
  [
    "replayed from a pull request, where the owner has signed it",
    (scene) => replayed(scene, ResumePoint.stemOf({ scope: pr, jobKey: job })),
    changed
  ],
  [
    "pointing to other bytes",
    (scene) =>
      Effect.andThen(
        scene.store.put(`${scene.place.stem}${hexOf(digestOf(evil))}`, evil),
        writePointer(scene, { ...scene.saved, state: digestOf(evil), sizeBytes: evil.length })
      ),
    changed
  ],
  ["said to be of another run", (scene) => writePointer(scene, { ...scene.saved, runId: "mine" }), changed],
  [
    "with no signature to speak of",
    (scene) => writePointer(scene, { ...scene.saved, signature: "" }),
    changed
  ],
  [
    "its pointer cut short",
    ({ pointer, saved, store }) => store.put(pointer, bytesOf(JSON.stringify(saved).slice(0, 100))),
    unreadable
  ],
  [
    "its pointer nested ten thousand deep",
    ({ pointer, store }) => store.put(pointer, bytesOf(`${"[".repeat(10_000)}${"]".repeat(10_000)}`)),
    unreadable
  ],
  [
    "its pointer grown beyond bounds",
    ({ pointer, saved, store }) => store.put(pointer, bytesOf(JSON.stringify(saved).padEnd(100_000))),
    unreadable
  ],
  [
    "its bytes swapped for as many others",
    ({ bytes, store }) => store.put(bytes, savedBytes.toReversed()),
    "its bytes were damaged"
  ],
  [
    "its bytes grown",
    ({ bytes, store }) => store.put(bytes, new Uint8Array(1_000_000)),
    "its bytes were damaged"
  ],
  ["its bytes gone", ({ bytes, store }) => store.remove(bytes), "the bytes it points to are gone"]
]

export const makeStateScene = Effect.fnUntraced(function* (place: PrivateState.StateStem) {
  yield* PrivateState.save(place, { job, runId: "run" }, savedBytes)
  const saved = Option.getOrThrow(yield* PrivateState.pointerAt(place))
  const store = yield* ObjectStore
  const bytes = `${place.stem}${hexOf(saved.state)}`
  return { place, store, saved, pointer: pointerOf(place), bytes } satisfies StateScene as StateScene
})

const one = Effect.fnUntraced(function* (place: PrivateState.StateStem, [, attack, problem]: StateAttack) {
  const scene = yield* makeStateScene(place)
  assert.deepStrictEqual((yield* PrivateState.load(place)).bytes, Option.some(savedBytes))
  yield* attack(scene)
  const loaded = yield* PrivateState.load(place)
  assert.isTrue(Option.isNone(loaded.bytes))
  if (typeof problem === "string") assert.strictEqual(loaded.problem, problem)
  else assert.match(loaded.problem ?? "", problem)
  yield* PrivateState.save(place, { job, runId: "run" }, savedBytes)
  assert.deepStrictEqual((yield* PrivateState.load(place)).bytes, Option.some(savedBytes))
})

const elements = [1, 2, 3]

/** What a job that goes on from its latest state begins with, and what it is told of others. */
const goingOn = Effect.gen(function* () {
  const notes: Array<string> = []
  const note = (line: string) => Effect.sync(() => void notes.push(line))
  const origin = { base: digestOf("code"), scope: mainScope, runId: "run", fromScratch: false }
  const folding = { ...origin, jobKey: job, note, provenance: () => Effect.void }
  const fold = yield* Fold.make(folding, { start: 0, elements })
  return { fold, notes }
})

export const stateSuite = (name: string, test: Test): void => {
  describe(`a state to go on from that was tampered with counts as none, with the reason (${name})`, () => {
    for (const attack of stateAttacks) {
      test(
        attack[0],
        Effect.gen(function* () {
          for (const [, place] of statePlaces) yield* one(place, attack)
        }).pipe(Effect.provide(stateSeals))
      )
    }

    test(
      "a fold goes on from the state before, and says why",
      Effect.gen(function* () {
        const { fold } = yield* goingOn
        for (const done of elements) yield* fold.save(done, bytesOf(`after ${done}`))
        const keys = Fold.stateKeys(yield* Hasher, digestOf("code"), { start: 0, elements })
        yield* planted(yield* makeStateScene(Fold.stemOf(mainScope, keys[3]!)))
        const again = yield* goingOn
        const found = yield* again.fold.latest((bytes) => Effect.succeed(new TextDecoder().decode(bytes)))
        assert.deepStrictEqual(found, Option.some({ done: 2, state: "after 2" }))
        assert.lengthOf(again.notes, 1)
        assert.match(
          again.notes[0]!,
          /^the state after 3 of 3 is not used: it is signed by a key that is not/
        )
      }).pipe(Effect.provide(stateSeals))
    )
  })
}
