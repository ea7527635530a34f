/** Sources of bytes for the suites of stores. */
import { Effect, Stream } from "effect"
import type { ByteSource } from "../../lib/storage/ByteSource.ts"

/** `count` chunks of `chunkBytes` bytes, each of its number. */
export const counted = (count: number, chunkBytes: number): ByteSource<never> => ({
  sizeBytes: count * chunkBytes,
  chunks: Stream.map(Stream.range(0, count - 1), (number) => new Uint8Array(chunkBytes).fill(number))
})

/** What `counted` is made of, whole. */
export const countedBytes = (count: number, chunkBytes: number): Uint8Array =>
  new Uint8Array(count * chunkBytes).map((_, at) => Math.floor(at / chunkBytes))

/** Fails behind the last byte, as a source does whose bytes turn out wrong. */
export const failing = <E>({ chunks, sizeBytes }: ByteSource<never>, error: E): ByteSource<E> => ({
  sizeBytes,
  chunks: Stream.concat(chunks, Stream.fromEffect(Effect.fail(error)))
})
