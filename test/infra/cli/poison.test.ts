/** What somebody tries who can write into a store: refused by the real program, on files and real servers. */
import { it as effectIt } from "@effect/vitest"
import { Effect, Layer, type Schema } from "effect"
import { assert, describe } from "vitest"
import { hasherLayer } from "../../../infra/hashing.ts"
import { keyPairFrom, newSecret } from "../../../infra/signing/ed25519.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { blobKey } from "../../../lib/storage/blobs.ts"
import { type Digest, Hasher } from "../../../lib/storage/Digest.ts"
import { ObjectStore, type StoreError } from "../../../lib/storage/ObjectStore.ts"
import { mainScope, type Scope } from "../../../lib/storage/Signature.ts"
import { artifactDigest } from "../../../lib/workflow/Fingerprint.ts"
import { blobsOf, type Manifest } from "../../../lib/workflow/Manifest.ts"
import { envelopeBytes, manifestKey, manifestMessage } from "../../../lib/workflow/SignedManifest.ts"
import { minioMissing, minioSkipNote, startMinio } from "../../support/minio.ts"
import type { S3TestServer } from "../../support/s3Process.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"
import { distillery } from "./builtProgram.ts"

const versitygw = versitygwMissing ? undefined : await startVersitygw()
const minio = minioMissing ? undefined : await startMinio()

const pr = "pr/7" as Scope
const [ownKey, prKey] = [newSecret(), newSecret()]

interface Place {
  readonly name: string
  readonly environment: { readonly [name: string]: string }
  readonly layer: Layer.Layer<ObjectStore, StoreError>
}

const folder = temporaryFolder()
const files: Place = {
  name: "files",
  environment: { DISTILLERY_STORE: folder },
  layer: fileObjectStoreLayer(folder).pipe(Layer.provide(hasherLayer))
}

const onServer = (name: string, server: S3TestServer | undefined): Place => ({
  name,
  environment: { ...server?.environment, DISTILLERY_STORE: `s3://${server?.bucket}/poison` },
  layer: Layer.suspend(() => {
    Object.assign(process.env, server!.environment)
    return s3ObjectStoreLayer({
      place: { kind: "s3", bucket: server!.bucket, prefix: "poison" },
      checked: true
    })
  })
})

interface Job {
  readonly name: string
  readonly key: Digest
  readonly state: string
  readonly reason: string | null
}

const call = (
  { environment }: Place,
  args: ReadonlyArray<string>,
  more: { readonly [name: string]: string }
) => Effect.promise(() => distillery(args, { environment: { ...environment, ...more } }))

const planOf = Effect.fnUntraced(function* (place: Place, more: { readonly [name: string]: string }) {
  const { code, stderr, stdout } = yield* call(place, ["plan", "./scenes.ts", "--json"], more)
  assert.strictEqual(code, 0, stderr)
  return JSON.parse(stdout).jobs as ReadonlyArray<Job>
})

const runStates = Effect.fnUntraced(function* (place: Place, more: { readonly [name: string]: string }) {
  const { code, stderr, stdout } = yield* call(place, ["run", "./scenes.ts", "--json"], more)
  assert.strictEqual(code, 0, stderr)
  return (JSON.parse(stdout).jobs as ReadonlyArray<Job>).map(({ state }) => state)
})

const main = { DISTILLERY_KEY: ownKey }
const pullRequest = { DISTILLERY_KEY: prKey, DISTILLERY_SCOPE: pr }

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Another result of the job, which main has signed at the beginning of time. */
const earlier = Effect.fnUntraced(function* (payload: Manifest) {
  const value = { earlier: true }
  const output = {
    ...payload.output,
    value,
    digest: artifactDigest(yield* Hasher, payload.output.type, value)
  }
  const provenance = { ...payload.provenance, publishedAtMillis: 1 }
  const made = { ...payload, output, provenance } as unknown as Schema.Json
  const place = { scope: mainScope, key: payload.jobKey }
  return envelopeBytes(mainScope, keyPairFrom(ownKey)!.sign(manifestMessage(place, made)), made)
})

/** What is written over which object, and the miss that follows. */
const attacks = Effect.fnUntraced(function* (key: Digest) {
  const store = yield* ObjectStore
  const slot = manifestKey({ scope: mainScope, key })
  const honest = yield* store.get(slot)
  const envelope = JSON.parse(textOf(honest)) as { readonly payload: Manifest }
  const fromPr = yield* store.get(manifestKey({ scope: pr, key }))
  const { blob } = blobsOf(envelope.payload.output.value)[0]!
  const whole = yield* store.get(blobKey(blob))
  const json = (content: unknown) => bytesOf(JSON.stringify(content))
  return [
    ["unsigned", slot, json(envelope.payload), /its manifest is not signed$/],
    [
      "changed",
      slot,
      json({ ...envelope, payload: { ...envelope.payload, provenance: {} } }),
      /its manifest was changed after it was signed$/
    ],
    ["truncated", slot, honest.subarray(0, 300), /its manifest is unreadable$/],
    ["replayed from pr/7", slot, fromPr, /its manifest was signed for scope pr\/7, not main$/],
    [
      "replayed from pr/7 in the name of main",
      slot,
      json({ ...JSON.parse(textOf(fromPr)), scope: "main" }),
      /a key that is not trusted; to trust it: npx distillery key trust ed25519:\S+ --scope main$/
    ],
    [
      "rolled back",
      slot,
      yield* earlier(envelope.payload),
      /its manifest was rolled back: of 1970-\S+, where/
    ],
    ["nested deeply", slot, bytesOf("[".repeat(100_000)), /its manifest is unreadable$/],
    ["blob swapped", blobKey(blob), whole.map((byte) => byte ^ 1), /blob sha256:\w+ was changed$/],
    ["blob cut short", blobKey(blob), whole.subarray(1), /blob sha256:\w+ is missing or damaged$/]
  ] as const
})

const poisonedStore = (place: Place) =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    assert.deepStrictEqual(yield* runStates(place, main), ["ran", "ran"])
    // Nothing of main counts for a pull request that was not told whose key it is.
    assert.deepStrictEqual(yield* runStates(place, pullRequest), ["ran", "ran"])
    const job = (yield* planOf(place, main))[0]!
    assert.strictEqual(job.state, "hit")
    const index = "index/main/scenes.json"
    const honestIndex = yield* store.get(index)
    for (const [what, object, bytes, reason] of yield* attacks(job.key)) {
      const before = yield* store.get(object)
      yield* store.put(object, bytes)
      const [seen] = yield* planOf(place, main)
      assert.match(`${what}: ${seen?.state}, ${seen?.reason}`, reason)
      assert.strictEqual(seen?.state, "will-run", what)
      yield* store.put(object, before)
      yield* store.put(index, honestIndex)
    }
    assert.strictEqual((yield* planOf(place, main))[0]?.state, "hit")
    // What this project has seen it remembers without an index.
    const slot = manifestKey({ scope: mainScope, key: job.key })
    const honest = yield* store.get(slot)
    yield* store.put(slot, yield* earlier(JSON.parse(textOf(honest)).payload))
    yield* store.remove(index)
    assert.match(`${(yield* planOf(place, main))[0]?.reason}`, /its manifest was rolled back/)
    yield* store.put(slot, honest)
    assert.strictEqual((yield* planOf(place, main))[0]?.state, "hit")
  }).pipe(Effect.provide(place.layer), Effect.provide(hasherLayer))

/** Without an index nothing tells that a blob on S3 is another one, until it is read. */
const readThrough = (place: Place) =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const [scenes, prepared] = yield* planOf(place, main)
    const text = textOf(yield* store.get(manifestKey({ scope: mainScope, key: scenes!.key })))
    const refs = blobsOf((JSON.parse(text) as { readonly payload: Manifest }).payload.output.value)
    for (const { blob } of refs) {
      const whole = yield* store.get(blobKey(blob))
      yield* store.put(
        blobKey(blob),
        whole.map((byte) => byte ^ 1)
      )
    }
    yield* store.remove("index/main/scenes.json")
    yield* store.remove(manifestKey({ scope: mainScope, key: prepared!.key }))
    // This machine has the bytes that it made.
    const elsewhere = { ...main, DISTILLERY_CACHE_DIR: "off" }
    const first = yield* call(place, ["run", "./scenes.ts"], elsewhere)
    const states = yield* runStates(place, main)
    return { first, states }
  }).pipe(Effect.provide(place.layer))

const told = /its input "scenes" is damaged \(blob sha256:\w+ was changed\): run again to make it anew/

const onEveryStore = (place: Place) => {
  effectIt.effect(
    "every attack is a miss with the reason, and what is put back is a hit",
    () => poisonedStore(place),
    120_000
  )
}

describe("a store of files", () => onEveryStore(files))

const onS3 = (name: string, server: S3TestServer | undefined) => {
  const place = onServer(name, server)
  onEveryStore(place)

  effectIt.effect(
    "a blob that is found to be another one while a job reads it makes its result a miss",
    () =>
      Effect.map(readThrough(place), ({ first, states }) => {
        assert.strictEqual(first.code, 4, first.stderr)
        assert.match(first.stdout + first.stderr, told)
        assert.deepStrictEqual(states, ["ran", "ran"])
      }),
    60_000
  )
}

describe.skipIf(versitygw === undefined)(`versitygw${skipNote}`, () => onS3("versitygw", versitygw))
describe.skipIf(minio === undefined)(`MinIO${minioSkipNote}`, () => onS3("MinIO", minio))
