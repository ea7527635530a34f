/**
 * Two hundred attacks drawn by a seed, one to three at once, on manifests, blobs and indexes of a store of
 * files and of real servers: no reader ever takes a result that its owner did not sign, and honest writers
 * repair all. `POISON_SEED` draws others.
 */
import { it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { assert, describe } from "vitest"
import { hasherLayer } from "../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../infra/stores/FileObjectStore.ts"
import { s3ObjectStoreLayer } from "../../infra/stores/S3ObjectStore.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { ObjectStore, StoreError } from "../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import { ManifestStore } from "../../lib/workflow/ManifestStore.ts"
import * as PrivateState from "../../lib/workflow/PrivateState.ts"
import { indexKey } from "../../lib/workflow/ResultIndex.ts"
import { attacks } from "../suites/attacks/attacks.ts"
import {
  as,
  bytesOf,
  looked,
  makeScene,
  memory,
  planned,
  publish,
  reader,
  type Scene,
  type Storage
} from "../suites/attacks/scene.ts"
import {
  makeStateScene,
  savedBytes,
  stateAttacks,
  statePlaces,
  stateSeals
} from "../suites/attacks/states.ts"
import { minioMissing, startMinio } from "../support/minio.ts"
import type { S3TestServer } from "../support/s3Process.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { startVersitygw, versitygwMissing } from "../support/versitygw.ts"

const seed = Number(process.env.POISON_SEED ?? 1)
const numAttacks = 200

/** Mulberry32: numbers below `below`, the same for a seed. */
const drawer = (from: number) => {
  let state = from
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
type Draw = ReturnType<typeof drawer>
type Memory = ReturnType<typeof memory>

const objectsOf = ({ blob, object, otherObject }: Scene): ReadonlyArray<string> => [
  object,
  blob,
  otherObject,
  indexKey(mainScope, "toy")
]

/** Some bytes changed, removed or doubled; or one object's bytes under another's name. */
const mutation = (
  store: ObjectStore["Service"],
  objects: ReadonlyArray<string>,
  draw: Draw
): Effect.Effect<string, StoreError> =>
  Effect.gen(function* () {
    const object = objects[draw(objects.length)]!
    const bytes = Uint8Array.from(yield* store.get(object))
    const at = draw(Math.max(1, bytes.length))
    const kind = draw(5)
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << draw(8))
    const other = yield* store.get(objects[draw(objects.length)]!)
    const changed = [
      bytes,
      bytes.subarray(0, at),
      Buffer.concat([bytes.subarray(0, at), bytes]),
      other,
      Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + draw(20))])
    ][kind]!
    yield* store.put(object, changed)
    return `${["bit of", "end of", "twice", "other in", "piece of"][kind]} ${object.slice(0, 12)}`
  }).pipe(Effect.catchTag("ObjectNotFound", () => Effect.succeed("nothing: it is gone")))

const known = (scene: Scene, draw: Draw): Effect.Effect<string, StoreError> => {
  const [what, attack] = attacks[draw(attacks.length)]!
  return attack(scene).pipe(
    Effect.as(what),
    // What an earlier attack has made is not always what a later one looks for.
    Effect.catchTag("ObjectNotFound", () => Effect.succeed("nothing: it is gone")),
    Effect.catchDefect(() => Effect.succeed("nothing: it is no JSON"))
  )
}

const attacked = Effect.fnUntraced(function* (scene: Scene, draw: Draw) {
  const done: Array<string> = []
  for (let i = draw(3); i >= 0; i--) {
    done.push(yield* draw(2) === 0 ? known(scene, draw) : mutation(scene.store, objectsOf(scene), draw))
  }
  return done.join(", ")
})

/** The value that the reader takes has to be the owner's, and its blob whole or known to be damaged. */
const checked = Effect.fnUntraced(function* ({ manifest, other }: Scene, readers: Memory, what: string) {
  let refused = 0
  for (const one of [manifest, other]) {
    const seen = yield* as(reader, readers)(looked(one))
    const honest = JSON.stringify(one.output.value)
    if (seen !== honest) {
      refused += 1
      assert.match(seen, /^(its manifest |blob |Absent$)/, what)
    }
  }
  return refused
})

const soak = Effect.gen(function* () {
  const draw = drawer(seed)
  const scene = yield* makeScene
  const [owners, readers] = [memory(), memory()]
  yield* as(reader, readers)(planned([scene.manifest, scene.other]))
  let numRefused = 0
  for (let i = 0; i < numAttacks; i++) {
    yield* as({}, owners)(planned([scene.manifest, scene.other]))
    const what = yield* attacked(scene, draw)
    numRefused += (yield* checked(scene, readers, `attack ${i}: ${what}`)) > 0 ? 1 : 0
    yield* as(
      {},
      owners
    )(
      Effect.gen(function* () {
        yield* (yield* BlobStore).put(bytesOf("the weights"))
        yield* publish(scene.manifest)
        yield* publish(scene.other)
        const store = yield* ManifestStore
        for (const one of [scene.manifest, scene.other]) {
          const found = yield* store.find(one.jobKey)
          assert.deepStrictEqual(found._tag === "Found" && found.manifest.output, one.output, what)
        }
      })
    )
  }
  console.log(
    `seed ${seed}: ${numAttacks} attacks, ${numRefused} led to misses, no result of theirs was taken`
  )
  assert.isAbove(numRefused, numAttacks / 3)
})

/** What a job goes on from is what was saved, or nothing. */
const stateSoak = Effect.gen(function* () {
  const draw = drawer(seed)
  let numRefused = 0
  for (let i = 0; i < numAttacks; i++) {
    const [what, place] = statePlaces[draw(statePlaces.length)]!
    const scene = yield* makeStateScene(place)
    const [name, attack] = stateAttacks[draw(stateAttacks.length)]!
    const done =
      draw(2) === 0
        ? yield* Effect.as(attack(scene), name)
        : yield* mutation(scene.store, [scene.pointer, scene.bytes], draw)
    const { bytes } = yield* PrivateState.load(place)
    if (Option.isNone(bytes)) numRefused += 1
    else assert.deepStrictEqual(bytes.value, savedBytes, `attack ${i}, ${what}: ${done}`)
  }
  console.log(`seed ${seed}: ${numAttacks} attacks on states, ${numRefused} were refused, none was taken`)
  assert.isAbove(numRefused, numAttacks / 3)
}).pipe(Effect.provide(stateSeals))

const soakOn = (name: string, layer: Layer.Layer<Storage, StoreError>) => {
  it.effect(`${numAttacks} attacks (${name})`, () => Effect.provide(soak, layer))
  it.effect(`${numAttacks} attacks on states (${name})`, () => Effect.provide(stateSoak, layer))
}

const onServer = (server: S3TestServer) =>
  Layer.suspend(() => {
    Object.assign(process.env, server.environment)
    const place = { kind: "s3", bucket: server.bucket, prefix: "soak" } as const
    return s3ObjectStoreLayer({ place, checked: true }).pipe(Layer.provideMerge(hasherLayer))
  })

describe("attacks drawn by a seed are refused", () => {
  soakOn("files", fileObjectStoreLayer(temporaryFolder()).pipe(Layer.provideMerge(hasherLayer)))
})

const versitygw = versitygwMissing ? undefined : await startVersitygw()
describe.skipIf(versitygw === undefined)("on versitygw", () => soakOn("versitygw", onServer(versitygw!)))
const minio = minioMissing ? undefined : await startMinio()
describe.skipIf(minio === undefined)("on MinIO", () => soakOn("MinIO", onServer(minio!)))
