/** Requests past the SDK and Node's client, to a server that answers as it is told, byte by byte. */
import { createServer, type Server, type Socket } from "node:net"
import { HeadObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { Direct } from "../../../infra/stores/s3Direct.ts"
import { download, downloadPart, type S3Object } from "../../../infra/stores/s3Download.ts"
import { upload } from "../../../infra/stores/s3Upload.ts"

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

/** A server whose last answer serves for all that follow; what the SDK asks first, it is told. */
const served = async (answers: ReadonlyArray<Answer>) => {
  const requests: Array<string> = []
  const seen = { requests, numConnections: 0, numAnswers: 0 }
  const server = createServer((socket) => {
    socket.on("error", () => undefined)
    socket.on("data", (bytes) => {
      if (bytes.toString().startsWith("HEAD /bucket/first ")) {
        return void socket.write(head("200 OK", "Content-Length: 1"))
      }
      requests.push(bytes.toString())
      answers[Math.min(requests.length, answers.length) - 1]!(socket, bytes.toString())
    })
    seen.numConnections += 1
  })
  const endpoint = `http://127.0.0.1:${await listening(server)}`
  const credentials = { accessKeyId: "id", secretAccessKey: "secret" }
  const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true })
  const direct = new Direct({ client, stallMillis: 300, onAnswer: () => void seen.numAnswers++ })
  ending = [() => server.close(), () => client.destroy(), () => direct.close()]
  await client.send(new HeadObjectCommand({ Bucket: "bucket", Key: "first" }))
  seen.numConnections = 0
  const object: S3Object = { client, direct, bucket: "bucket", objectKey: "a b/k" }
  return { object, seen }
}

/** Downloads the part so many times. */
const downloaded = async (answers: ReadonlyArray<Answer>, times = 1) => {
  const { object, seen } = await served(answers)
  const got: Array<Uint8Array> = []
  for (let nth = 0; nth < times; nth++) {
    const bytes = Buffer.alloc(part.length)
    await downloadPart(object, '"v"', { bytes, start }, new AbortController().signal)
    got.push(bytes)
  }
  assert.isTrue(got.every((bytes) => Buffer.compare(bytes, part) === 0))
  return seen
}

const rejection = (answers: ReadonlyArray<Answer>) =>
  downloaded(answers).then(
    () => assert.fail("it was downloaded"),
    (error: Error) => error
  )

describe("requests past the SDK", () => {
  it("come over one connection, asked for by range and version", async () => {
    const { numConnections, requests } = await downloaded([say(plain)], 3)
    assert.strictEqual(numConnections, 1)
    assert.match(requests[0]!, /^GET \/bucket\/a%20b\/k HTTP\/1\.1\r\n/)
    assert.match(requests[0]!, /\r\nrange: ?bytes=1000-20999\r\n/i)
    assert.match(requests[0]!, /\r\nif-match: ?"v"\r\n/i)
    assert.match(requests[0]!, /\r\nauthorization: ?AWS4-HMAC-SHA256 /i)
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
      assert.match(requests[1]!, /\r\nrange: ?bytes=6000-20999\r\n/i)
    }
  })

  it("are asked for anew over another connection where the server closed the one that was kept", async () => {
    const closing = Buffer.concat([
      head("206 Partial", "Connection: close", `Content-Length: ${part.length}`, range()),
      part
    ])
    assert.strictEqual((await downloaded([sayAndClose(closing), say(plain)], 2)).numConnections, 2)
    await downloaded([sayAndClose(plain), say(plain)], 2)
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
    assert.match(requests[2]!, /x-id=GetObject/)
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

describe("answers to requests past the SDK", () => {
  const xml = (code: string) => Buffer.from(`<Error><Code>${code}</Code><Message>no</Message></Error>`)
  const inChunks = (body: Buffer) =>
    Buffer.concat([
      ...[body.subarray(0, 7), body.subarray(7)].flatMap((some) => [
        Buffer.from(`${some.length.toString(16)}\r\n`),
        some,
        Buffer.from("\r\n")
      ]),
      Buffer.from("0\r\n\r\n")
    ])
  const sizes = { partBytes: 1_000_000, multipartBytesMin: 5_000_000, numParallel: 2 }
  const { signal } = new AbortController()

  it("may be told in chunks, where they refuse", async () => {
    const refusal = Buffer.concat([
      head("404 Not Found", "Transfer-Encoding: chunked"),
      inChunks(xml("NoSuchKey"))
    ])
    for (const pieces of [[refusal], [refusal.subarray(0, 100), refusal.subarray(100)]]) {
      const { object, seen } = await served([say(...pieces)])
      const error = await download(object, sizes, { signal }).catch((reason: Error) => reason)
      assert.strictEqual((error as Error).name, "NoSuchKey")
      assert.lengthOf(seen.requests, 1)
      assert.strictEqual(seen.numAnswers, 1)
    }
  })

  it("may come after a word in between, to writes as well", async () => {
    const { object, seen } = await served([
      say(Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"), head("200 OK", "Content-Length: 0"))
    ])
    const options = { condition: { _tag: "Absent" as const }, signal }
    assert.strictEqual(await upload(object, part, sizes, options), '"v"')
    assert.lengthOf(seen.requests, 1)
    assert.match(seen.requests[0]!, /^PUT \/bucket\/a%20b\/k HTTP\/1\.1\r\n/)
    assert.match(seen.requests[0]!, /\r\nif-none-match:\*\r\n/)
  })

  it("that refuse a write, or break off, are the SDK's to try again", async () => {
    const slow = say(
      Buffer.concat([head("503 Slow Down", `Content-Length: ${xml("SlowDown").length}`), xml("SlowDown")])
    )
    for (const failing of [slow, sayAndClose(head("200 OK").subarray(0, 20))]) {
      const { object, seen } = await served([failing, say(head("200 OK", "Content-Length: 0"))])
      assert.strictEqual(await upload(object, part, sizes, { condition: undefined, signal }), '"v"')
      assert.match(seen.requests[1]!, /\?x-id=PutObject/)
    }
  })
})
