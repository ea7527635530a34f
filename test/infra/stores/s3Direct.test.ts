/** Requests past the SDK and Node's client, to a server that answers as it is told, byte by byte. */
import { getEventListeners } from "node:events"
import { createServer, type Server, type Socket } from "node:net"
import { HeadObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { retryStrategy } from "../../../infra/stores/s3Client.ts"
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

const { signal } = new AbortController()
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** So many requests at once are asked in this thread. */
let numHereMax = Number.POSITIVE_INFINITY
let ending: ReadonlyArray<() => void> = []
afterEach(() => {
  for (const end of ending) end()
  numHereMax = Number.POSITIVE_INFINITY
})

const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  })

/** A server whose last answer serves for all that follow; what the SDK asks first, it is told. */
const served = async (answers: ReadonlyArray<Answer>) => {
  const requests: Array<string> = []
  const open = new Set<Socket>()
  const nobodyConnected = () => until(() => open.size === 0)
  const seen = { requests, numConnections: 0, numAnswers: 0, nobodyConnected }
  const server = createServer((socket) => {
    open.add(socket)
    socket.on("close", () => open.delete(socket))
    socket.on("error", () => undefined)
    socket.on("data", (bytes) => {
      if (bytes.toString().startsWith("HEAD /bucket/first ")) {
        return void socket.end(head("200 OK", "Content-Length: 1", "Connection: close"))
      }
      requests.push(bytes.toString())
      answers[Math.min(requests.length, answers.length) - 1]!(socket, bytes.toString())
    })
    seen.numConnections += 1
  })
  const endpoint = `http://127.0.0.1:${await listening(server)}`
  const credentials = { accessKeyId: "id", secretAccessKey: "secret" }
  const client = new S3Client({
    endpoint,
    credentials,
    region: "us-east-1",
    forcePathStyle: true,
    retryStrategy: retryStrategy({ numMin: 4, absence: undefined })
  })
  const onAnswer = () => void seen.numAnswers++
  const direct = new Direct({ client, lines: { stallMillis: 300 }, numHereMax, onAnswer })
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
    await downloadPart(object, '"v"', { bytes, start }, signal)
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

describe.each([
  ["in this thread", Number.POSITIVE_INFINITY],
  ["in a thread beside", 0]
])("requests past the SDK, asked %s,", (_, numHere) => {
  beforeEach(() => {
    numHereMax = numHere
  })

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

  it("of what is not there are heard twice, where they are not in S3's words", async () => {
    const garbled = Buffer.from("<Error><Code>NoSucjKey</Code></Error>")
    const absent = say(Buffer.concat([head("404 Not Found", `Content-Length: ${garbled.length}`), garbled]))
    assert.lengthOf((await downloaded([absent, say(plain)])).requests, 2)
    assert.strictEqual((await rejection([absent])).name, "NoSucjKey")
    const broken = Buffer.from("<Error><Code>NoSuchKey</Codf></Error>")
    const unread = say(Buffer.concat([head("404 Not Found", `Content-Length: ${broken.length}`), broken]))
    assert.lengthOf((await downloaded([unread, unread, say(plain)])).requests, 3)
  })

  it("that are more, or others, than was asked for are not believed", async () => {
    const more = say(Buffer.concat([plain, Buffer.from("x")]))
    assert.lengthOf((await downloaded([more, say(plain)])).requests, 2)
    const other = say(
      Buffer.concat([head("206 Partial", "Content-Length: 3", range(0, 3)), part.subarray(0, 3)])
    )
    assert.match((await rejection([other])).message, /does not give parts/)
  })

  it("that come damaged, or in an older version, are asked for again", async () => {
    const older = Buffer.concat([
      Buffer.from("HTTP/1.0 206 Partial\r\n"),
      plain.subarray(plain.indexOf("ETag"))
    ])
    for (const odd of [Buffer.from("HTTQ/1.1 200 OK\r\n\r\n"), older]) {
      const { requests } = await downloaded([sayAndClose(odd), sayAndClose(odd), say(plain)])
      assert.isAtMost(requests.length, 3)
    }
  })

  it("over a connection that the server is just giving up are asked for anew", async () => {
    const tired = sayAndClose(head("408 Request Timeout", "Content-Length: 0", "Connection: close"))
    const { numConnections, requests } = await downloaded([say(plain), tired, say(plain)], 2)
    assert.lengthOf(requests, 3)
    assert.strictEqual(numConnections, 2)
  })

  it("over a connection that the server announces to close are the last", async () => {
    const last = head("206 Partial", "Connection: x-hop, Close", `Content-Length: ${part.length}`, range())
    assert.strictEqual(
      (await downloaded([say(Buffer.concat([last, part])), say(plain)], 2)).numConnections,
      2
    )
  })

  it("leave no connection open where the server gives what nobody asked for", async () => {
    const all = Buffer.concat([head("200 OK", `Content-Length: ${whole.length}`), whole.subarray(0, 40_000)])
    const { object, seen } = await served([say(all)])
    const bytes = Buffer.alloc(part.length)
    const error = await downloadPart(object, '"v"', { bytes, start }, signal).catch((reason: Error) => reason)
    assert.match((error as Error).message, /does not give parts/)
    await seen.nobodyConnected()
  })

  it("that are given up leave neither a connection nor a listener", async () => {
    for (const some of [0, 20, plain.length - 100]) {
      const { object, seen } = await served([say(plain.subarray(0, some))])
      const giving = new AbortController()
      const bytes = Buffer.alloc(part.length)
      const reading = downloadPart(object, '"v"', { bytes, start }, giving.signal).catch((reason) => reason)
      await until(() => seen.requests.length === 1)
      giving.abort()
      assert.strictEqual((await reading).name, "AbortError")
      await seen.nobodyConnected()
      assert.lengthOf(getEventListeners(giving.signal, "abort"), 0)
    }
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

  it("may refuse a write before all of it was sent", async () => {
    const early = sayAndClose(head("503 Slow Down", "Content-Length: 0", "Connection: close"))
    const bytes = Buffer.alloc(8_000_000, "large")
    let numBytes = 0
    const taken: Answer = (socket, request) => {
      numBytes += request.length
      if (/\r\nexpect: 100/i.test(request)) socket.write("HTTP/1.1 100 Continue\r\n\r\n")
      if (numBytes > bytes.length) socket.write(head("200 OK", "Content-Length: 0"))
    }
    const { object } = await served([early, taken])
    const large = { ...sizes, multipartBytesMin: 10_000_000 }
    assert.strictEqual(await upload(object, bytes, large, { condition: undefined, signal }), '"v"')
  })

  it("that come before the write was sent leave no connection to another request", async () => {
    const { object, seen } = await served([say(head("200 OK", "Content-Length: 0")), () => undefined])
    const large = { ...sizes, multipartBytesMin: 10_000_000 }
    const write = () => upload(object, Buffer.alloc(8_000_000), large, { condition: undefined, signal })
    assert.strictEqual(await write(), '"v"')
    await seen.nobodyConnected()
  })

  it("to what is looked up may be that it is forbidden, or that the server is busy", async () => {
    const { object, seen } = await served([
      say(head("503 Slow Down", "Content-Length: 90")),
      say(head("403 Forbidden", "Content-Length: 90"))
    ])
    const { bucket: Bucket, direct, objectKey } = object
    const command = () => new HeadObjectCommand({ Bucket, Key: objectKey })
    const request = { method: "HEAD", objectKey, headers: {} } as const
    const error = await direct.send({ bucket: Bucket, command, request }, signal).catch((reason) => reason)
    assert.strictEqual(error.$metadata.httpStatusCode, 403)
    assert.lengthOf(seen.requests, 2)
  })

  it("that give another range than the first are read by nobody", async () => {
    const other = Buffer.concat([head("206 Partial", "Content-Length: 3", range(7, 3)), part.subarray(0, 3)])
    const { object, seen } = await served([say(other)])
    const error = await download(object, sizes, { signal }).catch((reason: Error) => reason)
    assert.match((error as Error).message, /does not give parts/)
    await seen.nobodyConnected()
  })
})
