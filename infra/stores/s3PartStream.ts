/**
 * Reading an object in parts, in order and some of them ahead. How many is found out: over a fast line two
 * fill it, and what has just come is still in the processor's cache when it is used; over a slow one many are
 * on their way.
 */
import { Effect, Semaphore, Stream } from "effect"
import { sharedRoom } from "../hashThread.ts"

export interface StreamedSizes {
  readonly partBytes: number
  readonly numParallelMax: number
  /** A part that takes longer than this waited for the line, not for us. */
  readonly slowMillis: number
}

const numParallelMin = 2
export interface Part {
  readonly bytes: Uint8Array
  /** Of the first byte, in the object. */
  readonly start: number
}

/**
 * `read` fills a part; the first begins at `from`. The parts take turns in the memory: new memory for each
 * costs the garbage collector more than the transfer.
 */
export const partStream = <E>(
  sizeBytes: number,
  read: (part: Part) => Effect.Effect<void, E>,
  { numParallelMax, partBytes, slowMillis }: StreamedSizes,
  from = 0
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    const places = Semaphore.makeUnsafe(numParallelMin)
    const free: Array<Buffer> = []
    const inUse: Array<Buffer> = []
    const part = Effect.fnUntraced(function* (nth: number) {
      const start = from + nth * partBytes
      const room = free.pop() ?? sharedRoom(Math.min(partBytes, sizeBytes - from))
      const bytes = room.subarray(0, sizeBytes - start)
      const beganMillis = performance.now()
      yield* read({ bytes, start })
      if (performance.now() - beganMillis > slowMillis) yield* places.resize(numParallelMax)
      return { bytes, room }
    }, places.withPermits(1))
    const numParts = Math.ceil((sizeBytes - from) / partBytes)
    return Stream.fromIterable(Array(numParts).keys()).pipe(
      Stream.mapEffect(part, { concurrency: numParallelMax }),
      Stream.map(({ bytes, room }) => {
        // A chunk lasts until the next but one is asked for.
        inUse.push(room)
        if (inUse.length > 2) free.push(inUse.shift()!)
        return bytes
      })
    )
  })
