import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hasherLayer } from "../../infra/hashing.ts"
import { layer as sourcesLayer } from "../../infra/sources/VerifiedSourceFiles.ts"
import { writeTar } from "../../lib/data/tar-writer.ts"
import {
  digestAsked,
  ingest,
  otherDigest,
  picture,
  vocObject,
  vocSource,
  vocXml
} from "../support/listedDatasets.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const folder = temporaryFolder()

const encode = (text: string) => new TextEncoder().encode(text)
const files = [
  { name: "ImageSets/Main/train.txt", bytes: encode("a\n") },
  { name: "ImageSets/Main/val.txt", bytes: encode("b\n") },
  ...["a", "b"].flatMap((name, index) => [
    { name: `JPEGImages/${name}.ppm`, bytes: picture(index) },
    { name: `Annotations/${name}.xml`, bytes: encode(vocXml(vocObject("cat", [1, 1, 8, 6]))) }
  ])
]

const write = (path: string, bytes: Uint8Array) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), bytes)
}

/** The same files thrice: packed for a mirror, packed by GitHub with more around them, and unpacked. */
const writeAll = Effect.sync(() => {
  write("cats.tar", writeTar(files.map(({ name, bytes }) => ({ name: `Cats/${name}`, bytes }))))
  const commit = "cats-0a1b2c"
  const packed = [
    { name: `${commit}/README.md`, bytes: encode("# Cats") },
    ...[...files].reverse().map(({ name, bytes }) => ({ name: `${commit}/Cats/${name}`, bytes }))
  ]
  write("cats.tar.gz", gzipSync(writeTar(packed)))
  for (const { name, bytes } of files) write(`unpacked/${name}`, bytes)
})

const archive = (path: string) =>
  ({ _tag: "Archive", name: "cats", root: "Cats", locations: [{ _tag: "Mirror", path }] }) as const
const trees = {
  tar: archive("cats.tar"),
  gzip: archive("cats.tar.gz"),
  folder: { _tag: "Folder", path: join(folder, "unpacked") } as const
}

const services = Layer.mergeAll(
  blobsLayer,
  jobLayer(),
  sourcesLayer({
    mirror: folder,
    cacheFolder: join(folder, "cache"),
    inputs: { projectDir: folder, folder: join(folder, "inputs") }
  }).pipe(Layer.provide(hasherLayer))
)

describe("a dataset of files", () => {
  it.effect("has one digest and makes one artifact, however it is packed", () =>
    Effect.gen(function* () {
      yield* writeAll
      const source = (tree: keyof typeof trees, digest: string | null) => ({
        ...vocSource(null),
        files: { ...trees[tree], digest }
      })
      const digest = yield* digestAsked(source("tar", null))
      assert.strictEqual(yield* digestAsked(source("gzip", null)), digest)
      assert.strictEqual(yield* digestAsked(source("folder", otherDigest)), digest)
      const first = yield* ingest(source("tar", digest))
      assert.strictEqual(first.splits.train?.numExamples, 1)
      assert.deepStrictEqual(yield* ingest(source("gzip", digest)), first)
      assert.deepStrictEqual(yield* ingest(source("folder", digest)), first)
    }).pipe(Effect.provide(services))
  )

  it.effect("that is nowhere is an error that lists the places asked", () =>
    Effect.gen(function* () {
      const locations = [
        { _tag: "Mirror", path: "dogs.tar" },
        { _tag: "Mirror", path: "pets/dogs.tar.gz" }
      ] as const
      const source = { ...vocSource(null), files: { ...archive("dogs.tar"), digest: null, locations } }
      const { message } = yield* Effect.flip(ingest(source))
      assert.match(
        message,
        /"cats" could not be had:\n {2}- mirror, dogs\.tar: .*\n {2}- mirror, pets\/dogs\.tar\.gz: /
      )
    }).pipe(Effect.provide(services))
  )
})
