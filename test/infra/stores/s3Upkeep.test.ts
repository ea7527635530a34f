/** Looking after a bucket: thousands of objects, copies in parts, uploads that nobody goes on with. */
import { createHash, randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { connect } from "../../../infra/stores/s3Client.ts"
import { moveObjects, removeObjects } from "../../../infra/stores/s3Upkeep.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { minioMissing, startMinio } from "../../support/minio.ts"
import type { S3TestServer } from "../../support/s3Process.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const versitygw = versitygwMissing ? undefined : await startVersitygw()
const minio = minioMissing ? undefined : await startMinio()

const noSignal = new AbortController().signal

const onEveryServer = (server: S3TestServer | undefined) => {
  const open = (prefix: string) =>
    Effect.suspend(() => {
      Object.assign(process.env, server!.environment)
      const place = { kind: "s3", bucket: server!.bucket, prefix } as const
      return Effect.provide(ObjectStore, s3ObjectStoreLayer({ place, checked: true }))
    })
  const connected = Effect.promise(async () => {
    Object.assign(process.env, server!.environment)
    return { client: (await connect()).client, bucket: server!.bucket }
  })

  it.effect(
    "1,050 objects are listed and removed, a thousand at a time",
    () =>
      Effect.gen(function* () {
        const store = yield* open("many")
        const keys = Array.from({ length: 1050 }, (_, index) => `k/${index}`)
        yield* Effect.forEach(keys, (key) => store.put(key, new Uint8Array(1)), { concurrency: 32 })
        yield* store.put("stays", new Uint8Array(1))
        const listed = yield* Stream.runCollect(store.list(""))
        assert.lengthOf(listed, 1051)
        yield* store.removeAll(keys)
        const left = yield* Stream.runCollect(store.list(""))
        assert.deepStrictEqual(
          left.map(({ key }) => key),
          ["stays"]
        )
      }),
    60_000
  )

  it.effect("what one request cannot copy is moved in parts, its bytes the same", () =>
    Effect.gen(function* () {
      const store = yield* open("parts")
      const bytes = randomBytes(12_000_001)
      yield* store.put("large", bytes)
      const target = yield* connected
      const move = {
        fromKey: "parts/objects/large",
        toKey: "parts/objects/moved",
        sizeBytes: bytes.length,
        version: undefined
      }
      const sizes = { wholeBytesMax: 5_000_000, partBytes: 5 * 2 ** 20 }
      const gone = { ...move, fromKey: "parts/objects/none", toKey: "parts/objects/none2" }
      const moved = yield* Effect.promise(() => moveObjects(target, [gone, move], noSignal, sizes))
      assert.deepStrictEqual(moved, [move])
      const listed = yield* Stream.runCollect(store.list(""))
      assert.deepStrictEqual(
        listed.map(({ key }) => key),
        ["moved"]
      )
      const found = yield* store.get("moved")
      const hash = (content: Uint8Array) => createHash("sha256").update(content).digest("hex")
      assert.strictEqual(hash(found), hash(bytes))
    })
  )

  it.effect("uploads begun before a time are ended, under this store's prefix alone", () =>
    Effect.gen(function* () {
      const store = yield* open("uploads/mine")
      const { bucket, client } = yield* connected
      for (const Key of ["uploads/mine/objects/a/b", "uploads/other/objects/a/b"]) {
        yield* Effect.promise(() => client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key })))
      }
      assert.strictEqual(yield* store.removeLeftovers(Date.now() - 60_000), 0)
      assert.strictEqual(yield* store.removeLeftovers(Date.now() + 60_000), 1)
      assert.strictEqual(yield* store.removeLeftovers(Date.now() + 60_000), 0)
      const { Uploads = [] } = yield* Effect.promise(() =>
        client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      )
      assert.deepStrictEqual(
        Uploads.map(({ Key }) => Key),
        ["uploads/other/objects/a/b"]
      )
    })
  )
}

describe.skipIf(minio === undefined)("MinIO, where it is in the cache", () => onEveryServer(minio))
describe.skipIf(versitygw === undefined)(`versitygw${skipNote}`, () => onEveryServer(versitygw))

it("a server that removes one object at a time only is asked for each", async () => {
  const asked: Array<string> = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url?.split("?")[0]}`)
    request.resume()
    response.writeHead(request.method === "POST" ? 501 : 204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    forcePathStyle: true,
    maxAttempts: 1
  })
  await removeObjects({ client, bucket: "b" }, ["x", "y"], noSignal)
  assert.deepStrictEqual(asked, ["POST /b/", "DELETE /b/x", "DELETE /b/y"])
  client.destroy()
  server.close()
})
