/** The store on real S3 servers. Breaking wires: `s3-faults.test.ts`. */
import { randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { leaseSuite } from "../../suites/lease.ts"
import { assertSame, objectStoreSuite } from "../../suites/objectStore.ts"
import { minioMissing, startMinio } from "../../support/minio.ts"
import type { S3TestServer } from "../../support/s3Process.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const versitygw = versitygwMissing ? undefined : await startVersitygw()
const minio = minioMissing ? undefined : await startMinio()

let numPrefixes = 0
const freshPrefix = (): string => `tests/${numPrefixes++}`
/** The server is found in the environment, which is read when the store is opened. */
const layerAt = (server: S3TestServer | undefined, prefix: string) =>
  Layer.suspend(() => {
    Object.assign(process.env, server!.environment)
    return s3ObjectStoreLayer({ place: { kind: "s3", bucket: server!.bucket, prefix }, checked: true })
  })
const open = (server: S3TestServer | undefined, prefix = freshPrefix()) =>
  Effect.provide(ObjectStore, layerAt(server, prefix))
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const onEveryServer = (name: string, server: S3TestServer | undefined) => {
  objectStoreSuite(name, Layer.unwrap(Effect.sync(() => layerAt(server, freshPrefix()))))
  leaseSuite(name, Layer.unwrap(Effect.sync(() => layerAt(server, freshPrefix()))))

  it.effect("objects from empty to many parts come back as they were", () =>
    Effect.gen(function* () {
      const store = yield* open(server)
      const part = 8 * 2 ** 20
      for (const sizeBytes of [0, 1, part, part + 1, 2 * part, 2 * part + 1, 40_000_000]) {
        const bytes = randomBytes(sizeBytes)
        const written = yield* store.put("large", bytes)
        assertSame(yield* store.head("large"), written)
        assert.isTrue(Buffer.compare(bytes, yield* store.get("large")) === 0, `${sizeBytes} bytes`)
        const [listed] = yield* Stream.runCollect(store.list("large"))
        assertSame(listed!, written)
      }
    })
  )

  it.effect("a large object is replaced only while its condition holds, too", () =>
    Effect.gen(function* () {
      const store = yield* open(server)
      const bytes = randomBytes(20_000_000)
      const { version } = yield* store.put("large", bytes, { _tag: "Absent" })
      assert.strictEqual(
        (yield* Effect.flip(store.put("large", bytes, { _tag: "Absent" })))._tag,
        "PreconditionFailed"
      )
      yield* store.put("large", bytes.fill(1), { _tag: "Version", version })
      assert.strictEqual((yield* store.get("large"))[0], 1)
    })
  )

  it.effect("of a hundred writers of an absent key exactly one wins, equal bytes or not", () =>
    Effect.gen(function* () {
      const store = yield* open(server)
      const contents = { different: (index: number) => `writer ${index}`, equal: () => "the same" }
      for (const [key, textOf] of Object.entries(contents)) {
        const won = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => index),
          (index) =>
            store.put(key, bytesOf(textOf(index)), { _tag: "Absent" }).pipe(
              Effect.as([index]),
              Effect.catchTag("PreconditionFailed", () => Effect.succeed([]))
            ),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(won.flat(), 1)
        assert.strictEqual(new TextDecoder().decode(yield* store.get(key)), textOf(won.flat()[0]!))
      }
    })
  )
}

describe.skipIf(minio === undefined)("MinIO, where it is in the cache", () =>
  onEveryServer("S3 on MinIO", minio)
)

describe.skipIf(versitygw === undefined)(`versitygw${skipNote}`, () => {
  onEveryServer("S3 on versitygw", versitygw)

  it.effect("lays a store out as the folder of a file store, in the whole bucket too", () =>
    Effect.gen(function* () {
      for (const prefix of [freshPrefix(), ""]) {
        yield* (yield* open(versitygw, prefix)).put("a/b", bytesOf("x"))
        const root = join(versitygw!.folder, prefix)
        assert.strictEqual(readFileSync(join(root, "objects", "a", "b"), "utf8"), "x")
        const format = '{"format":"distillery-store","version":1}\n'
        assert.strictEqual(readFileSync(join(root, "format.json"), "utf8"), format)
      }
    })
  )

  it.effect.each([
    ['{"format":"distillery-store","version":2}', /version 2, this program knows version 1.*another prefix/],
    ["<html>", /not what this program writes/]
  ] as const)("with format.json %s is refused", ([text, message]) =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      mkdirSync(join(versitygw!.folder, prefix), { recursive: true })
      writeFileSync(join(versitygw!.folder, prefix, "format.json"), text)
      const error = yield* Effect.flip(open(versitygw, prefix))
      assert.strictEqual(error._tag, "StoreUnusable")
      assert.match(error.message, message)
    })
  )

  it.effect("more objects than one answer lists are all listed, in order", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const store = yield* open(versitygw, prefix)
      const keys = Array.from({ length: 1100 }, (_, index) => `k/${String(index).padStart(4, "0")}`)
      // Written behind the server's back: much faster.
      mkdirSync(join(versitygw!.folder, prefix, "objects", "k"), { recursive: true })
      for (const key of keys) writeFileSync(join(versitygw!.folder, prefix, "objects", key), "x")
      yield* store.put("k/zzzz", bytesOf("x"))
      const listed = yield* Stream.runCollect(store.list("k/"))
      assert.deepStrictEqual(
        listed.map((info) => info.key),
        [...keys, "k/zzzz"]
      )
    })
  )
})
