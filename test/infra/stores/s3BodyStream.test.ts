/** One body after another over a fast line, parts behind a slow one: the same bytes, in order. */
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { type BodySizes, bodyStream } from "../../../infra/stores/s3BodyStream.ts"
import type { Part } from "../../../infra/stores/s3PartStream.ts"
import type { Stretch } from "../../../infra/stores/s3Place.ts"
import { sleep } from "../../support/processes.ts"

const sizes: BodySizes = {
  partBytes: 100,
  numParallelMax: 5,
  slowMillis: 50,
  stretchBytesMax: 400,
  pieceBytes: 30,
  numPieces: 4
}
/** Stands still but for what a test says. */
let nowMillis = 0
const stopTheClock = () => vi.spyOn(performance, "now").mockImplementation(() => nowMillis)
afterEach(() => vi.restoreAllMocks())
const pass = (millis: number) =>
  Effect.sync(() => {
    nowMillis += millis
  })

const whole = Buffer.from(Uint8Array.from({ length: 2_030 }, (_, at) => at % 251))

/** Sends a stretch by 17 bytes; `before` is asked for each of its bytes' place. */
const line = (before: (at: number) => Effect.Effect<void, string> = () => Effect.void) => {
  const stretches: Array<readonly [start: number, end: number]> = []
  const parts: Array<number> = []
  const seen = { stretches, parts, isEnded: false, isWaiting: false }
  const stretch = Effect.fnUntraced(
    function* ({ end, place, start }: Stretch) {
      stretches.push([start, end])
      for (let at = start; at < end; ) {
        yield* before(at)
        const room = place.room()
        if (room === undefined) {
          seen.isWaiting = true
          yield* Effect.promise(() => place.whenRoom!())
          seen.isWaiting = false
          continue
        }
        const count = whole.copy(room, 0, at, Math.min(at + 17, end))
        place.land(count)
        at += count
      }
    },
    Effect.ensuring(
      Effect.sync(() => {
        seen.isEnded = true
      })
    )
  )
  const part = ({ bytes, start }: Part) =>
    Effect.sync(() => {
      parts.push(start)
      whole.copy(bytes, 0, start, start + bytes.length)
    })
  return { seen, reads: { part, stretch } }
}

const collected = <E>(chunks: Stream.Stream<Uint8Array, E>) =>
  Stream.mkUint8Array(Stream.map(chunks, (chunk) => new Uint8Array(chunk)))

describe("an object from front to back", () => {
  it.live("comes over a fast line by bodies that grow", () =>
    Effect.gen(function* () {
      stopTheClock()
      const { reads, seen } = line()
      assert.isTrue(whole.equals(yield* collected(bodyStream(whole.length, reads, sizes))))
      const starts = [0, 100, 300, 700, 1100, 1500, 1900, whole.length]
      assert.deepStrictEqual(
        seen.stretches,
        starts.slice(0, -1).map((start, nth) => [start, starts[nth + 1]!] as const)
      )
      assert.lengthOf(seen.parts, 0)
    })
  )

  it.live("comes in parts from where a body was slow", () =>
    Effect.gen(function* () {
      stopTheClock()
      const { reads, seen } = line((at) => pass(at === 0 ? 50 : at === 100 ? 101 : 0))
      assert.isTrue(whole.equals(yield* collected(bodyStream(whole.length, reads, sizes))))
      assert.strictEqual(seen.stretches.length, 2)
      assert.strictEqual(Math.min(...seen.parts), 300)
      assert.strictEqual(seen.parts.length, 18)
    })
  )

  it.live("waits for who uses it, which is not taken for a slow line", () =>
    Effect.gen(function* () {
      stopTheClock()
      const { reads, seen } = line()
      let nth = 0
      const chunks = bodyStream(whole.length, reads, sizes).pipe(
        Stream.tap(() =>
          Effect.promise(async () => {
            if (++nth !== 10 && nth !== 30) return
            // What was free when this chunk came is full by then.
            do await sleep(5)
            while (!seen.isWaiting)
            nowMillis += 10_000
          })
        )
      )
      assert.isTrue(whole.equals(yield* collected(chunks)))
      assert.lengthOf(seen.parts, 0)
    })
  )

  it.live("ends with the failure of a body, behind what came before it", () =>
    Effect.gen(function* () {
      const { reads } = line((at) => (at >= 700 ? Effect.fail("gone") : Effect.void))
      const came: Array<Uint8Array> = []
      const chunks = bodyStream(whole.length, reads, sizes).pipe(
        Stream.tap((chunk) => Effect.sync(() => came.push(new Uint8Array(chunk))))
      )
      assert.strictEqual(yield* Effect.flip(Stream.runDrain(chunks)), "gone")
      assert.isTrue(Buffer.concat(came).equals(whole.subarray(0, 700)))
    })
  )

  it.live("is not read any longer when nobody wants it", () =>
    Effect.gen(function* () {
      const { reads, seen } = line((at) => (at >= 200 ? Effect.never : Effect.void))
      const reading = yield* Effect.forkChild(Stream.runDrain(bodyStream(whole.length, reads, sizes)))
      while (seen.stretches.length < 2) yield* Effect.promise(() => sleep(5))
      seen.isEnded = false
      yield* Fiber.interrupt(reading)
      assert.isTrue(seen.isEnded)
    })
  )

  it.live("of nothing is nothing", () =>
    Effect.gen(function* () {
      const { reads, seen } = line()
      assert.lengthOf(yield* Stream.runCollect(bodyStream(0, reads, sizes)), 0)
      assert.lengthOf(seen.stretches, 0)
    })
  )
})
