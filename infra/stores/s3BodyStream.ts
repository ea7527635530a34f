/**
 * Reading an object from front to back. Over a fast line one body after another is read, each longer than
 * the one before: a request costs a server as much as sending a megabyte or two. One that is slow is the last
 * of them; what is behind it comes in parts side by side (`s3PartStream.ts`).
 */
import { Effect, Fiber, Stream } from "effect"
import { type Part, partStream, type StreamedSizes } from "./s3PartStream.ts"
import { Pieces, type PiecesSizes } from "./s3Pieces.ts"
import type { Stretch } from "./s3Place.ts"

export interface BodySizes extends StreamedSizes, PiecesSizes {
  readonly stretchBytesMax: number
}

export interface Reads<E> {
  readonly part: (part: Part) => Effect.Effect<void, E>
  readonly stretch: (stretch: Stretch) => Effect.Effect<void, E>
}

/** Reads for as long as the line is fast; ends with where it stopped. */
const readOn = Effect.fnUntraced(function* <E>(
  sizeBytes: number,
  read: Reads<E>["stretch"],
  pieces: Pieces,
  { partBytes, slowMillis, stretchBytesMax }: BodySizes
) {
  let start = 0
  for (let length = partBytes; start < sizeBytes; length = Math.min(2 * length, stretchBytesMax)) {
    const end = Math.min(start + length, sizeBytes)
    const beganMillis = performance.now() - pieces.fullMillis
    yield* read({ start, end, place: pieces.place })
    const spentMillis = performance.now() - pieces.fullMillis - beganMillis
    const isSlow = spentMillis > (slowMillis * (end - start)) / partBytes
    start = end
    if (isSlow) break
  }
  return start
})

export const bodyStream = <E>(sizeBytes: number, read: Reads<E>, sizes: BodySizes) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const pieces = new Pieces(sizes)
      const reading = yield* readOn(sizeBytes, read.stretch, pieces, sizes).pipe(
        Effect.ensuring(Effect.sync(() => pieces.end())),
        Effect.forkScoped
      )
      const inOrder = Stream.unfold(undefined, () =>
        Effect.map(
          Effect.promise(() => pieces.next()),
          (piece) => piece && ([piece, undefined] as const)
        )
      )
      const behind = Effect.map(Fiber.join(reading), (end) => partStream(sizeBytes, read.part, sizes, end))
      return Stream.concat(inOrder, Stream.unwrap(behind))
    })
  )
