import { createServer, type Server } from "node:net"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { LineThread } from "../../../infra/stores/s3LineThread.ts"
import { landingAt, placeIn } from "../../../infra/stores/s3Place.ts"

const body = Uint8Array.from({ length: 1000 }, (_, at) => 1 + (at % 250))

describe("questions asked by a thread", () => {
  let server: Server
  let thread: LineThread
  let numAnswered = 0

  beforeEach(async () => {
    numAnswered = 0
    server = createServer((socket) => {
      socket.on("error", () => undefined)
      socket.on("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
        socket.write(body, () => {
          numAnswered += 1
        })
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })
    thread = new LineThread({ stallMillis: 5_000 })
  })
  afterEach(() => {
    thread.close()
    server.close()
  })

  /** Asks for the body, which is to land in `bytes`. */
  const ask = (bytes: Uint8Array, signal: AbortSignal) => {
    const { port } = server.address() as { port: number }
    const landing = landingAt(0, bytes.length, placeIn(bytes))
    const pieces = [Buffer.from("GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n\r\n")]
    const origin = { protocol: "http:", hostname: "127.0.0.1", port }
    return { landing, answered: thread.ask({ origin, method: "GET", pieces, landing }, signal)! }
  }

  it("land where they are wanted", async () => {
    const bytes = new Uint8Array(body.length)
    const { answered, landing } = ask(bytes, new AbortController().signal)
    assert.strictEqual((await answered).head.statusCode, 200)
    assert.strictEqual(landing.landed, body.length)
    assert.deepStrictEqual(bytes, body)
  })

  it("are sent with the bytes that stood there when they were asked", async () => {
    const heard = Promise.withResolvers<string>()
    const hearing = createServer((socket) => {
      let all = ""
      socket.on("data", (some) => {
        all += some.toString("latin1")
        if (!all.endsWith("abc")) return
        heard.resolve(all)
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      })
    })
    await new Promise<void>((resolve) => {
      hearing.listen(0, "127.0.0.1", resolve)
    })
    const { port } = hearing.address() as { port: number }
    const origin = { protocol: "http:", hostname: "127.0.0.1", port }
    const head = "PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
    const sent = Buffer.from("abc")
    const question = { origin, method: "PUT", pieces: [Buffer.from(head), sent], landing: undefined }
    const answered = thread.ask(question, new AbortController().signal)!
    sent.fill("x")
    assert.strictEqual((await answered).head.statusCode, 200)
    assert.strictEqual(await heard.promise, `${head}abc`)
    hearing.close()
  })

  it("that need more room than there is are not taken", () => {
    const origin = { protocol: "http:", hostname: "127.0.0.1", port: 1 }
    const pieces = [Buffer.from("PUT"), Buffer.alloc(256 * 1024)]
    const question = { origin, method: "PUT", pieces, landing: undefined }
    assert.isUndefined(thread.ask(question, new AbortController().signal))
  })

  it("touch nothing of whoever gave them up, though the answer is on its way already", async () => {
    for (const bytes of Array.from({ length: 20 }, () => new Uint8Array(body.length))) {
      const abort = new AbortController()
      const before = numAnswered
      const { answered, landing } = ask(bytes, abort.signal)
      const ended = answered.then(
        () => "answered",
        () => "given up"
      )
      while (numAnswered === before) await new Promise((resolve) => setImmediate(resolve))
      // The thread has its time, this one hears nothing.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
      abort.abort()
      assert.strictEqual(await ended, "given up")
      await ask(new Uint8Array(body.length), new AbortController().signal).answered
      assert.strictEqual(landing.landed, 0)
      assert.deepStrictEqual(bytes, new Uint8Array(body.length))
    }
  })
})
