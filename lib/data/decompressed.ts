/** What is packed by gzip or zlib, by the platform's own decompressor. */
import { Effect, Stream } from "effect"
import { FormatInvalid } from "./FormatInvalid.ts"

/**
 * Fails with `FormatInvalid` where the bytes are damaged or become more than `bytesMax`. `deflate` is zlib's
 * format (RFC 1950).
 */
export const decompressed = Effect.fn("decompressed")(function* (
  file: string,
  packed: Uint8Array,
  format: "gzip" | "deflate",
  bytesMax: number
) {
  const invalid = (reason: string) => new FormatInvalid({ file, format, reason })
  const chunks: Array<Uint8Array> = []
  let length = 0
  yield* Stream.fromReadableStream({
    evaluate: () => new Blob([new Uint8Array(packed)]).stream().pipeThrough(new DecompressionStream(format)),
    onError: () => invalid("it cannot be decompressed: it is damaged or cut short")
  }).pipe(
    Stream.runForEach((chunk: Uint8Array) => {
      length += chunk.length
      chunks.push(chunk)
      return length > bytesMax ? Effect.fail(invalid(`it becomes more than ${bytesMax} bytes`)) : Effect.void
    })
  )
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
})
