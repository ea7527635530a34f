/** Bodies that go past Node's client, from a server that answers as it is told, byte by byte. */
import { createServer, type Server, type Socket } from "node:net"
import { S3Client } from "@aws-sdk/client-s3"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { DirectBodies } from "../../../infra/stores/s3DirectBodies.ts"
import { downloadPart } from "../../../infra/stores/s3Download.ts"

const whole = Uint8Array.from({ length: 50_000 }, (_, at) => at % 251)
const start = 1000
const part = whole.subarray(start, start + 20_000)
const head = (status: string, ...lines: ReadonlyArray<string>) =>
  Buffer.from([`HTTP/1.1 ${status}`, 'ETag: "v"', ...lines, "", ""].join("\r\n"))
const range = (from = start, length = part.length) =>
  `Content-Range: bytes ${from}-${from + length - 1}/${whole.length}`
const plain = Buffer.concat([head("206 Partial", `Content-Length: ${part.length}`, range()), part])

/** What the server does with the nth request, and how many connections there were. */
type Answer = (socket: Socket, request: string) => void
const say =
  (...pieces: ReadonlyArray<Uint8Array>): Answer =>
  (socket) =>
    void (async () => {
      for (const piece of pieces) {
        socket.write(piece)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
const sayAndClose =
  (bytes: Uint8Array): Answer =>
  (socket) =>
    void socket.end(bytes)

let ending: ReadonlyArray<() => void> = []
afterEach(() => {
  for (const end of ending) end()
})

const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  })

/** Downloads the part so many times; the last answer serves for all that follow. */
const downloaded = async (answers: ReadonlyArray<Answer>, times = 1) => {
  const requests: Array<string> = []
  let numConnections = 0
  const server = createServer((socket) => {
    numConnections += 1
    socket.on("error", () => undefined)
    socket.on("data", (bytes) => {
      requests.push(bytes.toString())
      answers[Math.min(requests.length, answers.length) - 1]!(socket, bytes.toString())
    })
  })
  const endpoint = `http://127.0.0.1:${await listening(server)}`
  const credentials = { accessKeyId: "id", secretAccessKey: "secret" }
  const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true })
  const direct = new DirectBodies(300)
  ending = [() => server.close(), () => client.destroy(), () => direct.close()]
  const object = { client, direct, bucket: "bucket", objectKey: "a b/k" }
  const got: Array<Uint8Array> = []
  for (let nth = 0; nth < times; nth++) {
    const bytes = Buffer.alloc(part.length)
    await downloadPart(object, '"v"', { bytes, start }, new AbortController().signal)
    got.push(bytes)
  }
  assert.isTrue(got.every((bytes) => Buffer.compare(bytes, part) === 0))
  return { requests, numConnections }
}

const rejection = (answers: ReadonlyArray<Answer>) =>
  downloaded(answers).then(
    () => assert.fail("it was downloaded"),
    (error: Error) => error
  )

describe("bodies past Node's client", () => {
  it("come over one connection, asked for by range and version", async () => {
    const { numConnections, requests } = await downloaded([say(plain)], 3)
    assert.strictEqual(numConnections, 1)
    assert.match(requests[0]!, /^GET \/bucket\/a%20b\/k\?x-id=GetObject HTTP\/1\.1\r\n/)
    assert.match(requests[0]!, /\r\nrange: bytes=1000-20999\r\n/i)
    assert.match(requests[0]!, /\r\nif-match: "v"\r\n/i)
    assert.match(requests[0]!, /\r\nauthorization: AWS4-HMAC-SHA256 /i)
  })

  it("may come in pieces of any size", () =>
    downloaded([
      say(plain.subarray(0, 9), plain.subarray(9, 60), plain.subarray(60, 200), plain.subarray(200))
    ]))

  it("go on where they broke off, by a closed connection or a silent one", async () => {
    const some = plain.length - 15_000
    const rest = Buffer.concat([
      head("206 Partial", "Content-Length: 15000", range(start + 5000, 15_000)),
      part.subarray(5000)
    ])
    for (const breaking of [sayAndClose(plain.subarray(0, some)), say(plain.subarray(0, some))]) {
      const { requests } = await downloaded([breaking, say(rest)])
      assert.match(requests[1]!, /\r\nrange: bytes=6000-20999\r\n/i)
    }
  })

  it("are asked for anew over another connection where the server closed the one that was kept", async () => {
    const closing = Buffer.concat([
      head("206 Partial", "Connection: close", `Content-Length: ${part.length}`, range()),
      part
    ])
    assert.strictEqual((await downloaded([sayAndClose(closing), say(plain)], 2)).numConnections, 2)
    assert.strictEqual((await downloaded([sayAndClose(plain), say(plain)], 2)).numConnections, 2)
  })

  it("in a form of their own are left to Node's client", async () => {
    const chunked = Buffer.concat([
      head("206 Partial", "Transfer-Encoding: chunked", range()),
      Buffer.from(`${part.length.toString(16)}\r\n`),
      part,
      Buffer.from("\r\n0\r\n\r\n")
    ])
    const { requests } = await downloaded([say(chunked)], 2)
    assert.lengthOf(requests, 3)
  })

  it("of refusals are the SDK's to read", async () => {
    const xml = (code: string) => Buffer.from(`<Error><Code>${code}</Code><Message>no</Message></Error>`)
    const refusal = (status: string, code: string) =>
      say(Buffer.concat([head(status, `Content-Length: ${xml(code).length}`), xml(code)]))
    assert.strictEqual((await rejection([refusal("403 Forbidden", "AccessDenied")])).name, "AccessDenied")
    const replaced = await rejection([refusal("412 Precondition Failed", "PreconditionFailed")])
    assert.match(replaced.message, /was replaced/)
    await downloaded([refusal("503 Slow Down", "SlowDown"), say(plain)])
  })

  it("that are more, or others, than was asked for are not believed", async () => {
    const more = say(Buffer.concat([plain, Buffer.from("x")]))
    assert.match((await rejection([more, more, more])).message, /more than/)
    const other = say(
      Buffer.concat([head("206 Partial", "Content-Length: 3", range(0, 3)), part.subarray(0, 3)])
    )
    assert.match((await rejection([other])).message, /does not give parts/)
  })
})
