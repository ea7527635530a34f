/** What arrives goes from little memory to who uses it, who may take their time. */
import { createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { type AnswerHead, Arrival, type Landing } from "../../../infra/stores/s3Answer.ts"
import { Line } from "../../../infra/stores/s3Line.ts"
import { Pieces } from "../../../infra/stores/s3Pieces.ts"
import { sleep } from "../../support/processes.ts"

const payload = Buffer.from(Uint8Array.from({ length: 150_000 }, (_, at) => (at * 7) % 251))
const head = Buffer.from(
  `HTTP/1.1 206 Partial\r\nContent-Length: ${payload.length}\r\n` +
    `Content-Range: bytes 0-${payload.length - 1}/${payload.length}\r\n\r\n`
)

const landingIn = ({ place }: Pieces): Landing => ({
  ...place,
  start: 0,
  lengthBytesMax: payload.length,
  accepts: () => true,
  landed: 0,
  error: undefined
})

/** All pieces; looks at one once more when the one after it is there, as may be done. */
const collected = async (pieces: Pieces, before = async (_nth: number) => {}): Promise<Buffer> => {
  const all: Array<Uint8Array> = []
  let last: Uint8Array | undefined
  for (let nth = 0; ; nth++) {
    await before(nth)
    const piece = await pieces.next()
    if (last !== undefined) all.push(new Uint8Array(last))
    if (piece === undefined) return Buffer.concat(all)
    last = piece
  }
}

describe("pieces", () => {
  it.each([
    { pieceBytes: 1_000, arrivingBytes: 977 },
    { pieceBytes: 1_000, arrivingBytes: 1_000 },
    { pieceBytes: 333, arrivingBytes: 2_500 },
    { pieceBytes: 70_000, arrivingBytes: 65_536 }
  ])("of $pieceBytes bytes hold what comes by $arrivingBytes, in place or not", async (sizes) => {
    for (const isInPlace of [true, false]) {
      const pieces = new Pieces({ pieceBytes: sizes.pieceBytes, numPieces: 4 })
      const arrival = new Arrival("GET", landingIn(pieces))
      const reading = collected(pieces)
      const spare = Buffer.alloc(sizes.arrivingBytes)
      arrival.take(head, false)
      let isAll = false
      for (let at = 0; at < payload.length; ) {
        const room = isInPlace ? arrival.room() : undefined
        const bytes = (room ?? spare).subarray(0, sizes.arrivingBytes)
        const count = payload.copy(bytes, 0, at)
        at += count
        isAll = arrival.take(bytes.subarray(0, count), room !== undefined)
        // Overwritten by what comes next.
        spare.fill(0xff)
        for (let waiting = arrival.waiting(); waiting !== undefined; waiting = arrival.waiting()) {
          await waiting
          isAll = arrival.take(new Uint8Array(0), false)
        }
      }
      assert.isTrue(isAll)
      pieces.end()
      assert.isTrue(payload.equals(await reading))
    }
  })

  it("make a line wait while none is free, which is no stall, and serve the next answer", async () => {
    const sockets: Array<Socket> = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on("data", () => socket.write(Buffer.concat([head, payload])))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as { readonly port: number }
    const stallMillis = 2_000
    const line = new Line({ origin: { protocol: "http:", hostname: "127.0.0.1", port }, stallMillis })
    const heard = async (pauseMillis: number): Promise<AnswerHead> => {
      const pieces = new Pieces({ pieceBytes: 10_000, numPieces: 4 })
      const arrival = new Arrival("GET", landingIn(pieces))
      const reading = collected(pieces, async (nth) => {
        if (nth !== 5) return
        while (pieces.place.room() !== undefined) await sleep(1)
        await sleep(pauseMillis)
      })
      await line.ask([Buffer.from("GET")], arrival, new AbortController().signal)
      pieces.end()
      assert.isTrue(payload.equals(await reading))
      return arrival.head!
    }
    assert.strictEqual((await heard(1.1 * stallMillis)).statusCode, 206)
    assert.isTrue(line.isFree)
    assert.strictEqual((await heard(0)).statusCode, 206)
    assert.lengthOf(sockets, 1)
    line.socket.destroy()
    server.close()
  })
})
