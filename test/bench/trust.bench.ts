/** What it costs that results are signed: a thousand hits on a store of files, with and without checking. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { digestOf, hasherLayer } from "../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../infra/stores/FileObjectStore.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import type { Digest } from "../../lib/storage/Digest.ts"
import { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { mainScope, Verifier } from "../../lib/storage/Signature.ts"
import { ManifestStore, manifestStoreLayer } from "../../lib/workflow/ManifestStore.ts"
import { indexKey } from "../../lib/workflow/ResultIndex.ts"
import { trueManifest } from "../support/manifests.ts"
import { testSigning } from "../support/signing.ts"
import { type Row, row } from "./Row.ts"

const numJobs = 1000
const numRounds = 15

/** As large as those of our own stages: a hundred declarations, ten packages, one blob. */
const made = Effect.fnUntraced(function* (nth: number) {
  const weights = yield* (yield* BlobStore).put(new TextEncoder().encode(`weights ${nth}`))
  const declarations = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`lib/train/module.ts#name${index}`, digestOf(`${index}`)])
  )
  const packages = Object.fromEntries(
    Array.from({ length: 10 }, (_, index) => [`package-${index}`, `1.0.${index} ${digestOf(`${index}`)}`])
  )
  return yield* trueManifest({
    schemaVersion: 2,
    jobKey: digestOf(""),
    pipeline: "trust",
    job: `job-${nth}`,
    stage: "train",
    params: { nth, rate: 0.1, depth: 20 },
    inputs: {},
    code: { digest: digestOf("code"), declarations, packages },
    output: { type: "model", digest: digestOf(""), value: { weights: { ...weights }, loss: nth / 7 } },
    provenance: { seconds: 12.5, host: "here", createdAt: "2026-11-30T00:00:00Z" }
  })
})

const believing = Layer.effect(
  Verifier,
  Effect.map(Verifier, (verifier) => ({ ...verifier, trusts: () => true, signed: () => true }))
).pipe(Layer.provide(testSigning))

/** What a process of its own takes for its hits, in milliseconds of CPU. */
const cpuMillis = Effect.fnUntraced(function* (keys: ReadonlyArray<Digest>, checks: boolean) {
  const signing = checks ? testSigning : testSigning.pipe(Layer.merge(believing))
  const store = Layer.fresh(manifestStoreLayer).pipe(Layer.provide(signing))
  const began = process.cpuUsage()
  yield* Effect.gen(function* () {
    const find = yield* (yield* ManifestStore).survey("trust")
    for (const key of keys) {
      const { _tag } = yield* find(key)
      if (_tag !== "Found") throw new Error(`${key} is no hit: ${_tag}`)
    }
  }).pipe(Effect.provide(store))
  const { system, user } = process.cpuUsage(began)
  return (system + user) / 1000
})

/** Alternating, the least of many: other programs run, too. */
const compared = Effect.fnUntraced(function* (name: string, keys: ReadonlyArray<Digest>) {
  let [checked, believed] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let round = 0; round < numRounds; round++) {
    checked = Math.min(checked, yield* cpuMillis(keys, true))
    believed = Math.min(believed, yield* cpuMillis(keys, false))
  }
  const perHit = (millis: number): number => millis / keys.length
  return [
    row({
      name: `a hit, ${name}`,
      value: perHit(checked),
      unit: "ms CPU",
      peer: "unchecked",
      peerValue: perHit(believed)
    }),
    row({ name: `checking it, ${name}`, value: perHit(checked - believed), unit: "ms CPU", goal: 1 })
  ]
})

const measured = Effect.gen(function* () {
  const publishing = Effect.gen(function* () {
    const store = yield* ManifestStore
    const keys: Array<Digest> = []
    for (let nth = 0; nth < numJobs; nth++) {
      const { manifest } = yield* store.publish(yield* made(nth), { replace: false })
      keys.push(manifest.jobKey)
    }
    return keys
  })
  const indexing = (keys: ReadonlyArray<Digest>) =>
    Effect.gen(function* () {
      const store = yield* ManifestStore
      const find = yield* store.survey("trust")
      for (const key of keys) yield* find(key)
      yield* store.keep("trust", keys)
    })
  const stores = () => Layer.fresh(manifestStoreLayer).pipe(Layer.provide(testSigning))
  const keys = yield* Effect.provide(publishing, stores())
  // Stamps of files just written tell nothing yet.
  yield* Effect.sleep("3 seconds")
  yield* Effect.provide(indexing(keys), stores())
  const indexed = yield* compared("from the index", keys)
  yield* (yield* ObjectStore).remove(indexKey(mainScope, "trust"))
  return [...indexed, ...(yield* compared("without an index", keys))]
})

export const measure = async (): Promise<ReadonlyArray<Row>> => {
  const folder = mkdtempSync(join(tmpdir(), "distillery-trust-"))
  try {
    const storage = blobStoreLayer.pipe(
      Layer.provideMerge(fileObjectStoreLayer(folder)),
      Layer.provideMerge(hasherLayer)
    )
    return await Effect.runPromise(Effect.provide(measured, storage))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
