/** The store on a wire that breaks, before a server that falters: nothing is lost or believed wrongly. */
import { randomBytes } from "node:crypto"
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { connect } from "../../../infra/stores/s3Client.ts"
import { download } from "../../../infra/stores/s3Download.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobKey, blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { assertSame } from "../../suites/objectStore.ts"
import { type Fault, type FaultyProxy, type Passing, startFaultyProxy } from "../../support/faultyProxy.ts"
import { sleep, until } from "../../support/processes.ts"
import { plainClient } from "../../support/s3Process.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const server = versitygwMissing ? undefined : await startVersitygw()
const proxy = (server === undefined ? undefined : await startFaultyProxy(server.url)) as FaultyProxy
Object.assign(process.env, server?.environment, { AWS_ENDPOINT_URL: proxy?.url })
const bucket = server?.bucket ?? ""

let numPrefixes = 0
/** A store of its own whose requests pass the proxy, that breaks nothing until told. */
const freshStore = () => {
  proxy.fault = () => undefined
  const prefix = `faults/${numPrefixes++}`
  const layer = s3ObjectStoreLayer({ place: { kind: "s3", bucket, prefix }, checked: true })
  return { prefix, layer }
}
const open = Effect.suspend(() => {
  const { layer, prefix } = freshStore()
  return Effect.map(Effect.provide(ObjectStore, layer), (store) => {
    proxy.passed.length = 0
    return { prefix, store }
  })
})

/** The fault befalls the first requests of a kind, so many of them. */
const first = (times: number, fault: Fault, matches: (passing: Passing) => boolean) => {
  let left = times
  return (passing: Passing) => (matches(passing) && left-- > 0 ? fault : undefined)
}
const isMethod = (method: string) => (passing: Passing) => passing.method === method
const small = randomBytes(100_000)
const large = randomBytes(30_000_000)
const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

describe.skipIf(server === undefined)(`a wire that breaks${skipNote}`, () => {
  it.effect("a body that breaks off is resumed where it ended, not read again", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      yield* store.put("k", small)
      proxy.passed.length = 0
      proxy.fault = first(2, { kind: "cut", afterBytes: 30_000 }, isMethod("GET"))
      assert.isTrue(isSame(yield* store.get("k"), small))
      assert.deepStrictEqual(
        proxy.passed.map(({ range }) => range),
        ["bytes=0-8388607", "bytes=30000-99999", "bytes=60000-99999"]
      )
    })
  )

  it.effect("parts of a large object break off, each is resumed", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      yield* store.put("k", large)
      proxy.fault = first(6, { kind: "cut", afterBytes: 1_000_000 }, isMethod("GET"))
      assert.isTrue(isSame(yield* store.get("k"), large))
    })
  )

  it.effect("an object that is replaced while its download is resumed is read anew, never mixed", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      const other = randomBytes(100_000)
      yield* store.put("k", small)
      const replaced = Effect.as(store.put("k", other), undefined)
      let numReads = 0
      proxy.fault = ({ method }) => {
        if (method !== "GET") return undefined
        numReads++
        if (numReads === 1) return { kind: "cut", afterBytes: 30_000 }
        return numReads === 2 ? Effect.runPromise(replaced) : undefined
      }
      const got = yield* store.get("k")
      assert.isTrue(isSame(got, other))
      assert.strictEqual(numReads, 3)
    })
  )

  it.effect("a body that stalls is given up and resumed", () =>
    Effect.promise(async () => {
      const { prefix, layer } = freshStore()
      await Effect.runPromise(
        Effect.flatMap(ObjectStore, (store) => store.put("k", small)).pipe(Effect.provide(layer))
      )
      proxy.fault = first(1, { kind: "stall", afterBytes: 30_000 }, isMethod("GET"))
      const { client, direct } = await connect({ stallMillis: 300 })
      const object = { client, direct, bucket, objectKey: `${prefix}/objects/k` }
      const sizes = { partBytes: 1_000_000, numParallel: 2 }
      assert.isTrue(isSame(await download(object, sizes, { signal: new AbortController().signal }), small))
    })
  )

  it.effect(
    "many small objects written and read at once, most by the thread of the connections, are all whole",
    () =>
      Effect.gen(function* () {
        const { store } = yield* open
        const numObjects = 120
        const bytesOf = (nth: number) => new Uint8Array(1000 + 700 * nth).fill(nth)
        const every = (times: number, faults: ReadonlyArray<Fault>) => {
          let passed = 0
          return () => (++passed % times === 0 ? faults[(passed / times) % faults.length] : undefined)
        }
        const all = Array.from({ length: numObjects }, (_, nth) => nth)
        const absent = { _tag: "Absent" as const }
        proxy.fault = every(5, [
          { kind: "reset" },
          { kind: "lost" },
          { kind: "flip sent" },
          { kind: "cut sent", afterBytes: 500 },
          { kind: "status", status: 503, code: "SlowDown" }
        ])
        yield* Effect.forEach(
          all,
          (nth) => store.put(`k${nth}`, bytesOf(nth), nth % 2 ? absent : undefined),
          {
            concurrency: 32,
            discard: true
          }
        )
        proxy.fault = every(5, [{ kind: "reset" }, { kind: "cut", afterBytes: 700 }])
        yield* Effect.forEach(
          all,
          (nth) => Effect.map(store.get(`k${nth}`), (bytes) => assert.isTrue(isSame(bytes, bytesOf(nth)))),
          { concurrency: 32, discard: true }
        )
      }),
    60_000
  )

  it.effect("writes whose answers are lost are told from those of others", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      proxy.fault = first(1, { kind: "lost" }, isMethod("PUT"))
      const { version } = yield* store.put("k", small, { _tag: "Absent" })
      proxy.fault = first(1, { kind: "lost" }, isMethod("PUT"))
      const next = yield* store.put("k", small.subarray(1), { _tag: "Version", version })
      assertSame(yield* store.head("k"), next)
      proxy.fault = first(1, { kind: "lost" }, isMethod("PUT"))
      const error = yield* Effect.flip(store.put("k", small.subarray(1), { _tag: "Absent" }))
      assert.strictEqual(error._tag, "PreconditionFailed")
    })
  )

  it.effect("a large write survives lost parts, refused parts and a lost end", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      const kinds: ReadonlyArray<(passing: Passing) => Fault | undefined> = [
        first(1, { kind: "lost" }, ({ query }) => query.includes("partNumber=2")),
        first(2, { kind: "status", status: 503, code: "SlowDown" }, ({ query }) =>
          query.includes("partNumber=3")
        ),
        first(1, { kind: "lost" }, ({ method, query }) => method === "POST" && query.includes("uploadId="))
      ]
      proxy.fault = (passing) => kinds.map((kind) => kind(passing)).find((fault) => fault !== undefined)
      const written = yield* store.put("k", large)
      assertSame(yield* store.head("k"), written)
      assert.isTrue(isSame(yield* store.get("k"), large))
    })
  )

  it.effect("a large write that is interrupted leaves no parts behind", () =>
    Effect.gen(function* () {
      const { prefix, store } = yield* open
      let isHeld = false
      proxy.fault = ({ query }) => {
        if (!query.includes("partNumber=2")) return undefined
        isHeld = true
        return new Promise(() => undefined)
      }
      const writing = yield* Effect.forkChild(store.put("k", large))
      yield* Effect.promise(() => until(() => isHeld))
      yield* Fiber.interrupt(writing)
      const client = plainClient(server!.url)
      const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix })
      assert.lengthOf((yield* Effect.promise(() => client.send(list))).Uploads ?? [], 0)
      client.destroy()
    })
  )

  it.effect("a bit that flips on the way, in whatever object, is noticed: it is sent or read again", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      proxy.fault = first(2, { kind: "flip sent" }, isMethod("PUT"))
      yield* store.put("k", small)
      proxy.fault = first(2, { kind: "flip" }, isMethod("GET"))
      assert.isTrue(isSame(yield* store.get("k"), small))
      proxy.fault = first(3, { kind: "flip sent" }, ({ query }) => query.includes("partNumber="))
      yield* store.put("k", large)
      assert.isTrue(isSame(yield* store.get("k"), large))
    })
  )

  it.effect("a request's body that breaks off is sent again", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      proxy.fault = first(2, { kind: "cut sent", afterBytes: 30_000 }, isMethod("PUT"))
      yield* store.put("k", small)
      assert.isTrue(isSame(yield* store.get("k"), small))
      proxy.fault = first(2, { kind: "reset" }, () => true)
      assert.isTrue(isSame(yield* store.get("k"), small))
    })
  )

  it.effect("a bit that flips on the way is noticed, and the blob read again", () =>
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const ref = yield* blobs.put(small)
      proxy.fault = first(1, { kind: "flip" }, isMethod("GET"))
      assert.isTrue(isSame(yield* blobs.get(ref), small))
      proxy.fault = ({ path }) => (path.endsWith(blobKey(ref.blob)) ? { kind: "flip" } : undefined)
      assert.strictEqual((yield* Effect.flip(blobs.get(ref)))._tag, "BlobCorrupt")
    }).pipe(
      Effect.provide(
        Layer.provide(blobStoreLayer, [Layer.unwrap(Effect.sync(() => freshStore().layer)), hasherLayer])
      )
    )
  )
})

describe.skipIf(server === undefined)(`a server that falters${skipNote}`, () => {
  it.effect("errors that pass are waited for", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      proxy.fault = first(4, { kind: "status", status: 503, code: "SlowDown" }, () => true)
      yield* store.put("k", small)
      proxy.fault = first(3, { kind: "status", status: 500, code: "InternalError" }, () => true)
      assert.isTrue(isSame(yield* store.get("k"), small))
    })
  )

  it.effect("another write of the same key going on is waited for", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      const conflict = { kind: "status", status: 409, code: "ConditionalRequestConflict" } as const
      proxy.fault = first(2, conflict, isMethod("PUT"))
      yield* store.put("k", small, { _tag: "Absent" })
      assert.isTrue(isSame(yield* store.get("k"), small))
    })
  )

  it.effect.each([
    [403, "AccessDenied", "StoreUnusable", /s3:GetObject, s3:PutObject and s3:DeleteObject.*s3:ListBucket/],
    [400, "ExpiredToken", "StoreUnusable", /credentials have expired/],
    [507, "XMinioStorageFull", "StoreFull", /No space left for 100000 bytes/],
    [403, "QuotaExceeded", "StoreFull", /No space left/],
    [501, "NotImplemented", "StoreUnusable", /conditional writes/],
    [
      418,
      "Teapot",
      "StoreUnavailable",
      /could not write "k": Teapot \(HTTP 418\): as told\. Finished jobs are kept/
    ]
  ] as const)("HTTP %i %s is %s", ([status, code, tag, message]) =>
    Effect.gen(function* () {
      const { store } = yield* open
      proxy.fault = () => ({ kind: "status", status, code })
      const error = yield* Effect.flip(store.put("k", small))
      assert.strictEqual(error._tag, tag)
      assert.match(error.message, message)
    })
  )

  it.effect(
    "that is away for five seconds is waited for, by a hundred requests at once",
    () =>
      Effect.gen(function* () {
        // The SDK's own budget is 35 retries in all: it is away until more than those were made.
        const numOfSdk = 1 + 100 + 35
        const { store } = yield* open
        yield* store.put("k", small)
        const away = Effect.promise(async () => {
          await server!.kill()
          await sleep(5_000)
          while (proxy.passed.length <= numOfSdk) await sleep(50)
          await server!.restart()
        })
        const ask = Effect.forEach(
          Array.from({ length: 100 }, (_, index) => index),
          (index) => (index % 2 === 0 ? store.head("k") : store.put(`k${index}`, small)),
          { concurrency: "unbounded", discard: true }
        )
        yield* Effect.all(
          [
            away,
            Effect.andThen(
              Effect.promise(() => sleep(500)),
              ask
            )
          ],
          { concurrency: 2 }
        )
      }),
    60_000
  )
})
