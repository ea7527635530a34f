/**
 * Memory in which bytes are handed from who receives them to who uses them, piece by piece: little of it, so
 * that a piece is still in the processor's cache when it is used.
 */
import { sharedRoom } from "../hashThread.ts"
import type { Place } from "./s3Place.ts"

export interface PiecesSizes {
  readonly pieceBytes: number
  readonly numPieces: number
}

/** A signal that may be waited for again and again. */
const makeBell = () => {
  let waiting = Promise.withResolvers<void>()
  return {
    next: (): Promise<void> => waiting.promise,
    ring: (): void => {
      waiting.resolve()
      waiting = Promise.withResolvers<void>()
    }
  }
}

/** A piece lasts until the next but one is asked for. */
const numInUse = 2

export class Pieces {
  readonly #free: Array<Buffer>
  readonly #ready: Array<Uint8Array> = []
  readonly #inUse: Array<Uint8Array> = []
  readonly #freed = makeBell()
  readonly #made = makeBell()
  #filling: Buffer | undefined
  #filled = 0
  #isEnded = false
  /** For how long there was no room, in all. */
  fullMillis = 0

  constructor({ numPieces, pieceBytes }: PiecesSizes) {
    this.#free = Array.from({ length: numPieces }, () => sharedRoom(pieceBytes))
  }

  /** Where the bytes go to. */
  readonly place: Place = {
    room: () => {
      this.#filling ??= this.#free.pop()
      return this.#filling?.subarray(this.#filled)
    },
    land: (count) => {
      this.#filled += count
      if (this.#filled === this.#filling!.length) this.#finish()
    },
    whenRoom: async () => {
      const beganMillis = performance.now()
      while (this.place.room() === undefined) await this.#freed.next()
      this.fullMillis += performance.now() - beganMillis
    }
  }

  /** No more will come. */
  end(): void {
    if (this.#filled > 0) this.#finish()
    this.#isEnded = true
    this.#made.ring()
  }

  /** The next piece; `undefined` behind the last. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#ready.length === 0) {
      if (this.#isEnded) return undefined
      await this.#made.next()
    }
    const piece = this.#ready.shift()!
    this.#inUse.push(piece)
    if (this.#inUse.length > numInUse) {
      this.#free.push(Buffer.from(this.#inUse.shift()!.buffer))
      this.#freed.ring()
    }
    return piece
  }

  #finish(): void {
    this.#ready.push(this.#filling!.subarray(0, this.#filled))
    this.#filling = undefined
    this.#filled = 0
    this.#made.ring()
  }
}
