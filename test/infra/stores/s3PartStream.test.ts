/** Parts come in order from memory that is used again, as many at once as the line needs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { type Part, partStream } from "../../../infra/stores/s3PartStream.ts"
import { sleep } from "../../support/processes.ts"

const sizes = { partBytes: 100, numParallelMax: 5, slowMillis: 50 }
const sizeBytes = 4_030

/** A line that takes its time for a part, and what was seen of it. */
const line = (millis: (start: number) => number) => {
  const seen = { numAtOnce: 0, numAtOnceMax: 0, memories: new Set<ArrayBufferLike>() }
  const read = ({ bytes, start }: Part) =>
    Effect.promise(async () => {
      seen.numAtOnceMax = Math.max(seen.numAtOnceMax, ++seen.numAtOnce)
      seen.memories.add(bytes.buffer)
      await sleep(millis(start))
      for (let at = 0; at < bytes.length; at++) bytes[at] = (start + at) % 251
      seen.numAtOnce--
    })
  return { read, seen }
}

/** Looks at a chunk once more when the one after it is there, as its contract allows. */
const collected = (chunks: Stream.Stream<Uint8Array>) =>
  Effect.map(
    Stream.runFoldEffect(
      chunks,
      () => ({ all: [] as Array<Uint8Array>, last: undefined as Uint8Array | undefined }),
      ({ all, last }, chunk) =>
        Effect.promise(async () => {
          await sleep(1)
          if (last !== undefined) all.push(new Uint8Array(last))
          return { all, last: chunk }
        })
    ),
    ({ all, last }) => Buffer.concat([...all, ...(last === undefined ? [] : [last])])
  )

const whole = Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, at) => at % 251))

describe("parts", () => {
  it.live("are few at once over a fast line, and take turns in little memory", () =>
    Effect.gen(function* () {
      const { read, seen } = line(() => 0)
      const patient = { ...sizes, slowMillis: 5_000 }
      assert.isTrue(whole.equals(yield* collected(partStream(sizeBytes, read, patient))))
      assert.strictEqual(seen.numAtOnceMax, 2)
      assert.isAtMost(seen.memories.size, sizes.numParallelMax + 3)
    })
  )

  it.live("are many at once over a slow one, and come in order whichever is there first", () =>
    Effect.gen(function* () {
      const { read, seen } = line((start) => (start % 300 === 0 ? 60 : 5))
      assert.isTrue(whole.equals(yield* collected(partStream(sizeBytes, read, sizes))))
      assert.strictEqual(seen.numAtOnceMax, sizes.numParallelMax)
      assert.isAtMost(seen.memories.size, sizes.numParallelMax + 3)
    })
  )

  it.live("of nothing are none", () =>
    Effect.gen(function* () {
      const { read } = line(() => 0)
      assert.lengthOf(yield* Stream.runCollect(partStream(0, read, sizes)), 0)
    })
  )
})
