/** A store behind TLS: objects go and come the same way, over connections that are encrypted. */
import { createHash, randomBytes } from "node:crypto"
import { connect } from "node:net"
import { createServer, type Server, type TLSSocket } from "node:tls"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { authority, certificate } from "../../support/secureVersitygw.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const plain = versitygwMissing ? undefined : await startVersitygw()

interface Greeting {
  readonly name: string | false | null
  /** Whether it went on with what an earlier connection had agreed on. */
  readonly isKnown: boolean
}

/** Of connections since it was last emptied. */
const greetings: Array<Greeting> = []

/** Decrypts, and passes on to the server what it holds for plain. */
const encrypted: Server = createServer(certificate, (socket: TLSSocket) => {
  greetings.push({
    name: (socket as { servername?: string }).servername ?? null,
    isKnown: socket.isSessionReused()
  })
  const onward = connect(Number(new URL(plain!.url).port), "127.0.0.1")
  socket.on("error", () => onward.destroy()).pipe(onward)
  onward.on("error", () => socket.destroy()).pipe(socket)
})
beforeAll(async () => {
  await new Promise<void>((resolve) => encrypted.listen(0, "127.0.0.1", resolve))
  const { port } = encrypted.address() as { readonly port: number }
  Object.assign(process.env, plain?.environment, { AWS_ENDPOINT_URL: `https://localhost:${port}` })
  delete process.env.AWS_CA_BUNDLE
})
afterAll(() => void encrypted.close())

const open = Effect.suspend(() =>
  Effect.provide(
    ObjectStore,
    s3ObjectStoreLayer({ place: { kind: "s3", bucket: plain!.bucket, prefix: "tls" }, checked: true })
  )
)

describe.skipIf(versitygwMissing)(`a store behind TLS${skipNote}`, () => {
  it.effect("whose certificate nobody vouches for is not used", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(open)
      assert.match(error.message, /certificate is not trusted .*AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS/)
      process.env.AWS_CA_BUNDLE = authority
    })
  )

  it.live("is greeted by its name, and what one connection agreed on serves the next", () =>
    Effect.gen(function* () {
      const store = yield* open
      yield* store.put("k", new Uint8Array(10))
      // The server closes a connection after each answer.
      greetings.length = 0
      for (let nth = 0; nth < 5; nth++) yield* store.get("k")
      assert.deepStrictEqual(greetings, Array(5).fill({ name: "localhost", isKnown: true }))
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
