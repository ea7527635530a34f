/** What is measured of us: blobs by way of `BlobStore`, verified on both ways. */
import { readFileSync, writeFileSync } from "node:fs"
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Effect, Stream } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { writeAtomically } from "../../../infra/stores/atomicFiles.ts"
import { chunksOf } from "../../../infra/stores/fileVersions.ts"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { throwingChunks } from "../../../infra/stores/sourceFailures.ts"
import { type BlobRef, BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { Hasher } from "../../../lib/storage/Digest.ts"

const bucket = process.env.BENCH_BUCKET ?? "artifacts"
const numParallel = 32

type Act<E> = (from: string, to: string, ref?: string) => Effect.Effect<void, E, BlobStore | Hasher>

/** A file goes up under the digest that the plan took of it, and is seen to be still that. */
const up: Act<unknown> = Effect.fnUntraced(function* (file, record) {
  const ref = JSON.parse(yield* Effect.promise(() => readFile(record, "utf8"))) as BlobRef
  const { chunks, sizeBytes } = chunksOf(file)
  const hash = (yield* Hasher).incremental(sizeBytes)
  const verdict = Effect.flatMap(hash.digest, (found) =>
    found === ref.blob ? Effect.void : Effect.fail(`${file} was changed`)
  )
  const read = Stream.fromAsyncIterable(chunks(), (error) => error).pipe(
    Stream.tap(hash.update),
    Stream.onEnd(verdict)
  )
  yield* (yield* BlobStore).putStream(ref, { sizeBytes, chunks: read })
})

const down: Act<unknown> = Effect.fnUntraced(function* (record, file) {
  const ref = JSON.parse(yield* Effect.promise(() => readFile(record, "utf8"))) as BlobRef
  const { chunks } = (yield* BlobStore).getStream(ref)
  yield* Effect.promise(() =>
    writeAtomically({
      temporaryFolder: dirname(file),
      target: file,
      bytes: throwingChunks(chunks),
      onlyIfAbsent: false,
      isVolatile: true
    })
  )
})

/** Every file of a folder as a blob; what they are is written down for `read`. */
const publish: Act<unknown> = Effect.fnUntraced(function* (folder, record) {
  const blobs = yield* BlobStore
  const names = (yield* Effect.promise(() => readdir(folder))).sort()
  const refs = yield* Effect.forEach(
    names,
    (name) => Effect.suspend(() => blobs.put(readFileSync(join(folder, name)))),
    { concurrency: numParallel }
  )
  yield* Effect.promise(() => writeFile(record, JSON.stringify(refs)))
})

const read: Act<unknown> = Effect.fnUntraced(function* (record, folder) {
  const blobs = yield* BlobStore
  const refs = JSON.parse(yield* Effect.promise(() => readFile(record, "utf8"))) as ReadonlyArray<BlobRef>
  yield* Effect.promise(() => mkdir(folder, { recursive: true }))
  yield* Effect.forEach(
    refs.entries(),
    ([nth, ref]) => Effect.map(blobs.get(ref), (bytes) => writeFileSync(join(folder, String(nth)), bytes)),
    { concurrency: numParallel, discard: true }
  )
})

export const acts = { up, down, publish, read }

export const within = (prefix: string, act: Effect.Effect<void, unknown, BlobStore | Hasher>) =>
  Effect.runPromise(
    act.pipe(
      Effect.provide(blobStoreLayer),
      Effect.provide(s3ObjectStoreLayer({ place: { kind: "s3", bucket, prefix }, checked: true })),
      Effect.provide(hasherLayer)
    )
  )

/** What `up` and `down` are told of a file. */
export const refOf = (bytes: Uint8Array): BlobRef => ({ blob: digestOf(bytes), sizeBytes: bytes.length })
