/** Answers in HTTP/1.1, in pieces of every size: what they say, and what is not believed. */
import { assert, describe, it } from "@effect/vitest"
import { Arrival, type Landing, UnknownForm } from "../../../infra/stores/s3Answer.ts"

const payload = Buffer.from(Uint8Array.from({ length: 40 }, (_, at) => (at * 7) % 251))
const start = 100

interface Heard {
  readonly statusCode: number | undefined
  readonly body: string
  readonly landed: string
  /** Whether the last piece, and no earlier one, was the end. */
  readonly isWhole: boolean
}

const landingIn = (memory: Buffer): Landing => {
  let landed = 0
  return {
    start,
    lengthBytesMax: memory.length,
    accepts: (lengthBytes) => lengthBytes <= memory.length,
    room: () => memory.subarray(landed),
    land: (count) => {
      landed += count
    },
    get landed() {
      return landed
    },
    error: undefined
  }
}

/** Every piece comes in memory that is overwritten afterwards, or in place where that is wanted. */
const heard = (pieces: ReadonlyArray<Buffer>, method: string, lands: boolean): Heard => {
  const memory = Buffer.alloc(payload.length)
  const landing = lands ? landingIn(memory) : undefined
  const arrival = new Arrival(method, landing)
  const spare = Buffer.alloc(1000)
  const ends = pieces.map((piece) => {
    const room = arrival.room()
    const place = room !== undefined && piece.length <= room.length ? room : spare
    place.set(piece)
    const isEnd = arrival.take(place.subarray(0, piece.length), place === room)
    spare.fill(0xff)
    return isEnd
  })
  return {
    statusCode: arrival.head?.statusCode,
    body: arrival.body.toString("latin1"),
    landed: memory.toString("latin1", 0, landing?.landed ?? 0),
    isWhole: ends.indexOf(true) === ends.length - 1
  }
}

const text = (...lines: ReadonlyArray<string>): Buffer => Buffer.from([...lines, "", ""].join("\r\n"))
const plain = (...lines: ReadonlyArray<string>) =>
  Buffer.concat([text("HTTP/1.1 206 Partial Content", ...lines), payload])
const range = `content-range: bytes ${start}-${start + payload.length - 1}/1000`
const chunked = (...rest: ReadonlyArray<string>): Buffer =>
  Buffer.concat([
    text("HTTP/1.1 403 No", "Transfer-Encoding: Chunked"),
    Buffer.from("5;a=b\r\nhello\r\nB \r\n, it says: \r\n"),
    ...rest.map((line) => Buffer.from(line))
  ])

const answers: ReadonlyArray<readonly [what: string, method: string, bytes: Buffer, said: Partial<Heard>]> = [
  ["a range", "GET", plain("CONTENT-LENGTH:  40 ", range), { landed: payload.toString("latin1") }],
  ["a body", "PUT", plain("content-length:40"), { body: payload.toString("latin1") }],
  ["chunks", "GET", chunked("0\r\n\r\n"), { body: "hello, it says: ", statusCode: 403 }],
  ["chunks and a trailer", "GET", chunked("00\r\nA: b\r\nC: d\r\n\r\n"), { body: "hello, it says: " }],
  ["a head alone", "HEAD", text("HTTP/1.1 200 OK", "content-length: 40"), { body: "" }],
  ["nothing", "PUT", text("HTTP/1.1 204", "etag: v"), { statusCode: 204 }],
  ["no change", "GET", text("HTTP/1.1 304 Same", "content-length: 40"), { statusCode: 304 }],
  ["an empty body", "PUT", text("HTTP/1.1 200 OK", "content-length: 0"), { statusCode: 200 }],
  [
    "words in between",
    "PUT",
    Buffer.concat([
      text("HTTP/1.1 100 Continue"),
      text("HTTP/1.1 103 Early Hints", "link: a"),
      text("HTTP/1.1 100 Continue"),
      text("HTTP/1.1 200 OK", "content-length: 0")
    ]),
    { statusCode: 200 }
  ]
]

describe("an answer", () => {
  it.each(answers)("that is %s says the same wherever it is split", (_, method, bytes, said) => {
    const lands = said.landed !== undefined
    const whole = heard([bytes], method, lands)
    assert.deepInclude(whole, { isWhole: true, ...said })
    const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
    assert.deepStrictEqual(heard(single, method, lands), whole)
    for (let at = 1; at < bytes.length; at++) {
      for (let next = at; next < bytes.length; next += 3) {
        const pieces = [bytes.subarray(0, at), bytes.subarray(at, next), bytes.subarray(next)]
        const some = pieces.filter(({ length }) => length > 0)
        assert.deepStrictEqual(heard(some, method, lands), whole)
      }
    }
  })

  it.each(answers)("that is %s is not whole before its last byte", (_, method, bytes, { landed }) => {
    for (let end = 1; end < bytes.length; end++) {
      const landing = landed === undefined ? undefined : landingIn(Buffer.alloc(40))
      assert.isFalse(new Arrival(method, landing).take(bytes.subarray(0, end), false))
    }
  })

  it.each([
    ["two lengths", plain("content-length: 40", "content-length: 39")],
    ["a length that is none", plain("content-length: ")],
    ["a length in another notation", plain("content-length: 0x28")],
    ["a length below nothing", plain("content-length: -1")],
    ["a length and chunks", plain("content-length: 40", "transfer-encoding: chunked")],
    ["more than its length", plain("content-length: 39")],
    ["no status", text("HTTP/1.1 OK")],
    ["a line without a name", text("HTTP/1.1 200 OK", "hello", "content-length: 0")],
    ["another protocol", text("SSH-2.0-OpenSSH_9.2")],
    ["a chunk of negative length", chunked("-6\r\n\r\n\r\n\r\n")],
    ["a chunk of no length", chunked("\r\n\r\n")],
    ["a chunk of half a length", chunked("5 hello\r\nhello\r\n0\r\n\r\n")],
    ["a chunk that is longer than it says", chunked("5\r\nhellos\r\n0\r\n\r\n")],
    ["more after the last chunk", chunked("0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")],
    ["a head without end", Buffer.alloc(200_000, "HTTP/1.1 200 OK\r\na: b\r\n")]
  ])("of %s is refused", (_, bytes) => {
    const refused = (pieces: ReadonlyArray<Buffer>) => {
      const arrival = new Arrival("GET", undefined)
      for (const piece of pieces) arrival.take(piece, false)
    }
    assert.throws(() => refused([bytes]), /./)
    assert.throws(() => refused([bytes.subarray(0, 30), bytes.subarray(30)]), /./)
  })

  it.each([
    ["an older version", text("HTTP/1.0 200 OK", "content-length: 0")],
    ["a folded head", text("HTTP/1.1 200 OK", "a: b", " c", "content-length: 0")],
    ["an end that only closing tells", text("HTTP/1.1 200 OK", "etag: v")],
    ["an encoding", plain("content-length: 40", "content-encoding: gzip", range)],
    ["another range", plain("content-length: 40", "content-range: bytes 0-39/1000")],
    ["a range of another length", plain("content-length: 40", `content-range: bytes ${start}-120/1000`)],
    ["a range of unknown size", plain("content-length: 40", `content-range: bytes ${start}-139/*`)],
    ["a range behind the end", plain("content-length: 40", `content-range: bytes ${start}-139/120`)],
    ["no range", plain("content-length: 40")],
    ["more than there is room for", plain("content-length: 41", `content-range: bytes ${start}-140/1000`)]
  ])("of %s is left to Node's client", (_, bytes) => {
    const arrival = new Arrival("GET", landingIn(Buffer.alloc(40)))
    assert.throws(() => arrival.take(bytes, false), UnknownForm)
  })
})
