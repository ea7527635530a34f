/** Deflated bytes (RFC 1951), by the platform's own decompressor, in no more memory than they say. */
import { Effect, Stream } from "effect"
import { refusedTorch, type WeightsFileInvalid } from "./WeightsFileInvalid.ts"

/** Fed in pieces, so that what makes too much of a few bytes is noticed early. */
const pieceBytes = 2 ** 16

/** Fails where the bytes are damaged, or become another number of bytes than `sizeBytes`. */
export const inflate = (
  name: string,
  packed: Uint8Array,
  sizeBytes: number
): Effect.Effect<Uint8Array, WeightsFileInvalid> =>
  Effect.gen(function* () {
    const inflated = new Uint8Array(sizeBytes)
    let length = 0
    yield* Stream.fromReadableStream({
      evaluate: () => readable(packed).pipeThrough(new DecompressionStream("deflate-raw")),
      onError: () => refusedTorch(`"${name}" is damaged: it cannot be decompressed`)
    }).pipe(
      Stream.runForEach((chunk: Uint8Array) => {
        if (length + chunk.length > sizeBytes) {
          return Effect.fail(
            refusedTorch(`"${name}" becomes more than the ${sizeBytes} bytes it should have`)
          )
        }
        inflated.set(chunk, length)
        length += chunk.length
        return Effect.void
      })
    )
    return length === sizeBytes
      ? inflated
      : yield* refusedTorch(`"${name}" becomes ${length} bytes, it should have ${sizeBytes}`)
  })

const readable = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let at = 0
  return new ReadableStream({
    pull: (controller) => {
      if (at < bytes.length) controller.enqueue(new Uint8Array(bytes.subarray(at, at + pieceBytes)))
      else controller.close()
      at += pieceBytes
    }
  })
}
