/** A source's own errors, carried unharmed through code that throws. */
import { Effect, Stream } from "effect"

class SourceFailed<E> extends Error {
  readonly error: E

  constructor(error: E) {
    super("the source of the bytes failed")
    this.error = error
  }
}

export const throwing = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, Error> =>
  Effect.mapError(effect, (error) => new SourceFailed(error))

export const throwingChunks = <E>(chunks: Stream.Stream<Uint8Array, E>): AsyncIterable<Uint8Array> =>
  Stream.toAsyncIterable(Stream.mapError(chunks, (error) => new SourceFailed(error)))

/** The source's own error where it was that which failed; all else as `translate` says. */
export const fromSource =
  <S, E>(translate: (error: unknown) => S) =>
  (error: unknown): S | E =>
    error instanceof SourceFailed ? (error.error as E) : translate(error)
