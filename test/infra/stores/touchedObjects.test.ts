/** Whatever is done to the files of a store: what the index answers is what a full verification says. */
import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobKey, blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import type { Manifest } from "../../../lib/workflow/Manifest.ts"
import { ManifestStore, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { manifestKey } from "../../../lib/workflow/SignedManifest.ts"
import { manifestOf } from "../../support/manifests.ts"
import { testSigning } from "../../support/signing.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const numJobs = 3

/** A time that can be put back exactly. */
const longAgo = new Date("2026-01-01")

/** Changes one byte, which keeps the size. */
const flipped = (bytes: Buffer, at: number): Buffer => {
  const other = Buffer.from(bytes)
  if (other.length > 0) other[at % other.length]! ^= 1
  return other
}

const acts = {
  "changed in place": (file: string, at: number) => writeFileSync(file, flipped(readFileSync(file), at)),
  "changed, its times put back": (file: string, at: number) => {
    writeFileSync(file, flipped(readFileSync(file), at))
    utimesSync(file, longAgo, longAgo)
  },
  "replaced by a changed copy of the same time": (file: string, at: number) => {
    writeFileSync(`${file}-copy`, flipped(readFileSync(file), at))
    utimesSync(`${file}-copy`, longAgo, longAgo)
    renameSync(`${file}-copy`, file)
  },
  "replaced by an equal copy": (file: string) => {
    copyFileSync(file, `${file}-copy`)
    renameSync(`${file}-copy`, file)
  },
  touched: (file: string) => utimesSync(file, new Date(), new Date()),
  cut: (file: string, at: number) => writeFileSync(file, readFileSync(file).subarray(0, at)),
  removed: (file: string) => rmSync(file)
} as const

const Act = Schema.Struct({
  what: Schema.Literals(Object.keys(acts) as ReadonlyArray<keyof typeof acts>),
  job: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: numJobs - 1 })),
  isBlob: Schema.Boolean,
  at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2000 }))
})

/** Each call sees the store as another process would. */
const engine = (folder: string) =>
  Layer.fresh(manifestStoreLayer).pipe(
    Layer.provideMerge(testSigning),
    Layer.provideMerge(blobStoreLayer),
    Layer.provideMerge(fileObjectStoreLayer(folder)),
    Layer.provideMerge(hasherLayer)
  )

const publishAll = Effect.gen(function* () {
  const made: Array<Manifest> = []
  for (let nth = 0; nth < numJobs; nth++) {
    const blob = yield* (yield* BlobStore).put(new TextEncoder().encode(`result ${nth}`))
    const manifest = yield* manifestOf(blob, { nth })
    yield* (yield* ManifestStore).publish(manifest, { replace: false })
    made.push(manifest)
  }
  return made
})

const filesOf = (folder: string, { jobKey, output }: Manifest) => {
  const { blob } = output.value as never as { readonly blob: never }
  const file = (key: string): string => join(folder, "objects", key)
  return { blob: file(blobKey(blob)), manifest: file(manifestKey({ scope: mainScope, key: jobKey })) }
}

const verdicts = (manifests: ReadonlyArray<Manifest>, isIndexed: boolean) =>
  Effect.gen(function* () {
    const store = yield* ManifestStore
    const find = isIndexed ? yield* store.survey("toy") : store.find
    const found = yield* Effect.forEach(manifests, ({ jobKey }) => find(jobKey))
    if (isIndexed) {
      yield* store.keep(
        "toy",
        manifests.map(({ jobKey }) => jobKey)
      )
    }
    return found.map((one) => (one._tag === "Broken" ? one.reason : one._tag))
  })

it.effect.prop(
  "the index never says other than a full verification",
  { done: Schema.Array(Act) },
  ({ done }) =>
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const manifests = yield* Effect.provide(publishAll, engine(folder))
      const files = manifests.map((manifest) => filesOf(folder, manifest))
      for (const file of files.flatMap(({ blob, manifest }) => [blob, manifest])) {
        utimesSync(file, longAgo, longAgo)
      }
      yield* Effect.provide(verdicts(manifests, true), engine(folder))
      for (const { at, isBlob, job, what } of done) {
        const file = files[job]![isBlob ? "blob" : "manifest"]
        if (existsSync(file)) acts[what](file, at)
        const indexed = yield* Effect.provide(verdicts(manifests, true), engine(folder))
        const full = yield* Effect.provide(verdicts(manifests, false), engine(folder))
        assert.deepStrictEqual(indexed, full, `${what} ${isBlob ? "blob" : "manifest"} of ${job}`)
      }
    }),
  { arbitrary: { runs: 40 } }
)
