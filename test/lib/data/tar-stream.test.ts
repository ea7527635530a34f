import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { readTar } from "../../../lib/data/tar.ts"
import { tarFiles } from "../../../lib/data/tar-stream.ts"
import { writeTar } from "../../../lib/data/tar-writer.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

const random = RandomStream.make(1, "tar")
const noise = (length: number) => Uint8Array.from({ length }, () => random.below(256))
const long = `${"a-folder-with-a-long-name/".repeat(6)}file`
const tar = writeTar([
  { name: "empty", bytes: new Uint8Array() },
  { name: "small", bytes: noise(3) },
  { name: long, bytes: noise(5000) },
  { name: "whole-block", bytes: noise(512) }
])

/** The archive in pieces of these sizes, over and over; memory of a piece is used again. */
const inPieces = (bytes: Uint8Array, sizes: ReadonlyArray<number>) => {
  const memory = new Uint8Array(Math.max(...sizes))
  return Stream.unfold({ at: 0, turn: 0 }, ({ at, turn }) =>
    Effect.sync(() => {
      if (at >= bytes.length) return undefined
      const part = bytes.subarray(at, at + sizes[turn % sizes.length]!)
      memory.set(part)
      return [memory.subarray(0, part.length), { at: at + part.length, turn: turn + 1 }] as const
    })
  )
}

describe("an archive read as it comes", () => {
  it.effect.each([[[1]], [[511, 2]], [[512]], [[513, 1, 7000]], [[100_000]]])("in pieces of %s", ([sizes]) =>
    Effect.gen(function* () {
      const source = { sizeBytes: tar.length, chunks: inPieces(tar, sizes!) }
      const found = yield* Stream.runCollect(tarFiles("t", source))
      assert.deepStrictEqual([...found], [...(yield* readTar("t", tar))])
    })
  )

  it.effect("ends with what its source says behind the last byte", () =>
    Effect.gen(function* () {
      const chunks = Stream.concat(inPieces(tar, [4096]), Stream.fail("other bytes" as const))
      const seen: Array<string> = []
      const files = tarFiles("t", { sizeBytes: tar.length, chunks })
      const error = yield* Effect.flip(
        Stream.runForEach(files, ({ name }) => Effect.sync(() => seen.push(name)))
      )
      assert.strictEqual(error, "other bytes")
      assert.lengthOf(seen, 4)
    })
  )

  it.effect("that ends before it says is refused", () =>
    Effect.gen(function* () {
      const files = tarFiles("t", { sizeBytes: tar.length, chunks: inPieces(tar.subarray(0, 2000), [512]) })
      const error = yield* Effect.flip(Stream.runDrain(files))
      assert.include(error.message, "its bytes end too early")
    })
  )
})
