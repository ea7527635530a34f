/** What is asked of a server's encryption reaches every kind of write, and only those. */
import { randomBytes } from "node:crypto"
import { HeadObjectCommand } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { connect } from "../../../infra/stores/s3Client.ts"
import type { S3Encryption } from "../../../infra/stores/storePlace.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { counted } from "../../suites/byteSources.ts"
import { startLooseS3 } from "../../support/looseS3.ts"
import { minioMissing, startMinio } from "../../support/minio.ts"
import { minioKmsKey } from "../../support/s3Process.ts"

const loose = await startLooseS3()
const minio = minioMissing ? undefined : await startMinio()

interface Place {
  readonly bucket: string
  readonly environment: { readonly [name: string]: string }
}

const open = ({ bucket, environment }: Place, encryption: S3Encryption | undefined) =>
  Effect.suspend(() => {
    Object.assign(process.env, environment)
    const place = { kind: "s3", bucket, prefix: "sse", encryption } as const
    return Effect.provide(ObjectStore, s3ObjectStoreLayer({ place, checked: true }))
  })

/** Every kind of write that the store knows. */
const write = Effect.fnUntraced(function* (store: ObjectStore["Service"]) {
  yield* store.put("a/small", randomBytes(10))
  const { version } = yield* store.put("a/once", randomBytes(10), { _tag: "Absent" })
  yield* store.put("a/once", randomBytes(10), { _tag: "Version", version })
  yield* store.put("a/parts", randomBytes(18_000_000))
  yield* store.putStream("a/stream", counted(40, 500_000))
  yield* store.moveAll([{ from: "a/small", to: "b/moved", sizeBytes: 10 }])
})

const isWrite = ({ method, url }: (typeof loose.requests)[number]): boolean =>
  (method === "PUT" && !url!.includes("partNumber")) || (method === "POST" && url!.includes("uploads"))

describe("server-side encryption", () => {
  it.effect("is asked for with every kind of write, with the key where one is named", () =>
    Effect.gen(function* () {
      for (const encryption of [
        { kind: "AES256", kmsKeyId: undefined },
        { kind: "aws:kms", kmsKeyId: "alias/artifacts" }
      ] as const) {
        loose.requests.length = 0
        loose.objects.clear()
        yield* write(yield* open(loose, encryption))
        const writes = loose.requests.filter(isWrite)
        assert.isAtLeast(writes.length, 6)
        for (const { headers, method, url } of loose.requests) {
          const wanted = isWrite({ headers, method, url }) ? encryption : undefined
          assert.strictEqual(headers["x-amz-server-side-encryption"], wanted?.kind, `${method} ${url}`)
          assert.strictEqual(headers["x-amz-server-side-encryption-aws-kms-key-id"], wanted?.kmsKeyId)
        }
      }
    })
  )

  it.effect("is not asked for otherwise", () =>
    Effect.gen(function* () {
      loose.requests.length = 0
      loose.objects.clear()
      yield* write(yield* open(loose, undefined))
      for (const { headers } of loose.requests) assert.notProperty(headers, "x-amz-server-side-encryption")
    })
  )

  it.effect.skipIf(minio === undefined)("MinIO encrypts what was written so, and gives it back", () =>
    Effect.gen(function* () {
      const encryption = { kind: "aws:kms", kmsKeyId: minioKmsKey } as const
      const store = yield* open(minio!, encryption)
      yield* write(store)
      const { client } = yield* Effect.promise(() => connect())
      for (const key of ["a/once", "a/parts", "a/stream", "b/moved"]) {
        const head = new HeadObjectCommand({ Bucket: minio!.bucket, Key: `sse/objects/${key}` })
        const { ServerSideEncryption } = yield* Effect.promise(() => client.send(head))
        assert.strictEqual(ServerSideEncryption, "aws:kms", key)
      }
      assert.lengthOf(yield* store.get("a/parts"), 18_000_000)
    })
  )
})
