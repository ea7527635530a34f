/** Bytes that need not lie in memory: a file of a gigabyte, on its way into a store. */
import { type Effect, Stream } from "effect"

export interface ByteSource<E> {
  readonly sizeBytes: number
  /**
   * A chunk lasts until the next but one is asked for: its memory may be used again, so whoever keeps it
   * copies it.
   * Fails, behind the last byte at the latest, where the bytes are not those they should be.
   */
  readonly chunks: Stream.Stream<Uint8Array, E>
  /** The same bytes as a file of this machine, for a store that copies one faster than it writes chunks. */
  readonly file?: LocalFile<E>
}

export interface LocalFile<E> {
  readonly path: string
  /** Asked when the file is copied, before anybody sees the copy: fails where it is not what it should be. */
  readonly unchanged: Effect.Effect<void, E>
}

/** All of it in memory. */
export const wholeOf = <E>({ chunks }: ByteSource<E>): Effect.Effect<Uint8Array, E> =>
  Stream.mkUint8Array(Stream.map(chunks, (chunk) => new Uint8Array(chunk)))
