/** A store behind TLS: objects go and come the same way, over connections that are encrypted. */
import { createHash, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { createServer, getCACertificates, type Server, setDefaultCACertificates } from "node:tls"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const server = versitygwMissing ? undefined : await startVersitygw()
const [cert = "", key = ""] = ["certificate.pem", "key.pem"].map((name) =>
  readFileSync(join(import.meta.dirname, "../../fixtures/tls", name), "utf8")
)

/** Decrypts, and passes on to the server what it holds for plain. */
const encrypted: Server = createServer({ cert, key }, (socket) => {
  const onward = connect(Number(new URL(server!.url).port), "127.0.0.1")
  socket.on("error", () => onward.destroy()).pipe(onward)
  onward.on("error", () => socket.destroy()).pipe(socket)
})
beforeAll(async () => {
  await new Promise<void>((resolve) => encrypted.listen(0, "127.0.0.1", resolve))
  const { port } = encrypted.address() as { readonly port: number }
  Object.assign(process.env, server?.environment, { AWS_ENDPOINT_URL: `https://127.0.0.1:${port}` })
})
afterAll(() => void encrypted.close())

const open = Effect.suspend(() =>
  Effect.provide(
    ObjectStore,
    s3ObjectStoreLayer({ place: { kind: "s3", bucket: server!.bucket, prefix: "tls" }, checked: true })
  )
)

describe.skipIf(server === undefined)(`a store behind TLS${skipNote}`, () => {
  it.effect("whose certificate nobody vouches for is not used", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(open)
      assert.match(error.message, /certificate is not trusted .*NODE_EXTRA_CA_CERTS/)
    })
  )

  it.effect("keeps objects of any size", () =>
    Effect.gen(function* () {
      setDefaultCACertificates([...getCACertificates("default"), cert])
      const store = yield* open
      for (const sizeBytes of [0, 10, 300_000, 20_000_000]) {
        const bytes = new Uint8Array(randomBytes(sizeBytes))
        yield* store.put(`k${sizeBytes}`, bytes)
        assert.strictEqual((yield* store.head(`k${sizeBytes}`)).sizeBytes, sizeBytes)
        assert.strictEqual(Buffer.compare(yield* store.get(`k${sizeBytes}`), bytes), 0)
      }
      assert.strictEqual((yield* Effect.flip(store.get("none")))._tag, "ObjectNotFound")
    })
  )

  it.live("gives a large object to somebody who is slower than the line, bit by bit", () =>
    Effect.gen(function* () {
      const store = yield* open
      const bytes = new Uint8Array(randomBytes(30_000_000))
      yield* store.put("large", bytes)
      const { chunks } = yield* store.getStream("large")
      const hash = createHash("sha256")
      yield* Stream.runForEach(chunks, (chunk) =>
        Effect.map(Effect.sleep("5 millis"), () => void hash.update(chunk))
      )
      assert.strictEqual(hash.digest("hex"), createHash("sha256").update(bytes).digest("hex"))
    })
  )
})
