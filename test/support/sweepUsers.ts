/** Who comes to need what a sweep takes: a run that reads, one that publishes, one that adopts. */
import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import { assert } from "vitest"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import { findGarbage } from "../../lib/workflow/Garbage.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import { ManifestStore } from "../../lib/workflow/ManifestStore.ts"
import { type RunRecord, whileOpen } from "../../lib/workflow/OpenRuns.ts"
import { sweep } from "../../lib/workflow/Sweep.ts"
import { manifestOf } from "./manifests.ts"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A result of one blob that holds the text. */
export const published = Effect.fnUntraced(function* (text: string, params: Manifest["params"]) {
  const ref = yield* (yield* BlobStore).put(bytesOf(text))
  const manifest = yield* manifestOf(ref, params)
  yield* (yield* ManifestStore).publish(manifest, { replace: false })
  return { ref, manifest, text }
})

export type Result = Effect.Success<ReturnType<typeof published>>

const named = (what: string) => ({ runId: `${what}-${randomUUID()}`, scope: mainScope })

export const sweeper = () => ({ id: randomUUID(), scope: mainScope })

export const collected = Effect.fnUntraced(function* (termMillis: number) {
  const found = yield* findGarbage({ graceMillis: 0, keepRuns: 0 })
  return yield* sweep(found, { termMillis, sweeper: sweeper() })
})

export const readable = ({ ref }: Result) =>
  Effect.flatMap(BlobStore, (blobs) => blobs.get(ref)).pipe(
    Effect.map((bytes) => new TextDecoder().decode(bytes))
  )

const isFound = ({ manifest }: Result) =>
  Effect.flatMap(ManifestStore, (manifests) =>
    Effect.map(manifests.find(manifest.jobKey), ({ _tag }) => _tag === "Found")
  )

/** Whether it is a hit for a run that has said that it reads it. */
const claimed = Effect.fnUntraced(function* (old: Result, { reads }: RunRecord) {
  if (!(yield* isFound(old))) return false
  yield* reads([old.manifest.jobKey])
  return yield* isFound(old)
})

/** As a run that plans with the old result as a hit: it can be read as long as the run goes on. */
export const reader = (old: Result, working: Effect.Effect<void>) =>
  whileOpen(named("reader"), (record) =>
    Effect.gen(function* () {
      if (!(yield* claimed(old, record))) return undefined
      assert.strictEqual(yield* readable(old), old.text)
      yield* working
      assert.strictEqual(yield* readable(old), old.text)
      return undefined
    })
  )

/** As a run that makes another result of equal bytes. */
export const publisher = (old: Result, params: Manifest["params"]) =>
  whileOpen(named("publisher"), ({ reads }) =>
    Effect.gen(function* () {
      yield* reads([])
      const ref = yield* (yield* BlobStore).put(bytesOf(old.text))
      // Its job has checked that the blob is there.
      assert.isTrue(yield* (yield* BlobStore).has(ref))
      const manifest = yield* manifestOf(ref, params)
      yield* (yield* ManifestStore).publish(manifest, { replace: false })
      return manifest
    })
  )

/** As `adopt`: names the old blobs anew, writing none. */
export const adopter = (old: Result, params: Manifest["params"]) =>
  whileOpen(named("adopter"), (record) =>
    Effect.gen(function* () {
      if (!(yield* claimed(old, record))) return undefined
      const manifest = yield* manifestOf(old.ref, params)
      yield* (yield* ManifestStore).publish(manifest, { replace: false })
      return manifest
    })
  )
