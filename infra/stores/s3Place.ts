/** Where the bytes of an object go to, be it one piece of memory or many that take turns. */
import type { Landing } from "./s3Answer.ts"

/** Where an object's bytes go to, one after another. */
export interface Place {
  /** Memory for the next bytes, or for some of them; `undefined`: none is free yet. */
  readonly room: () => Uint8Array | undefined
  /** So many more lie there. */
  readonly land: (count: number) => void
  /** Ends when some is free. */
  readonly whenRoom?: () => Promise<void>
}

/** All in one piece, from `at` on. */
export const placeIn = (bytes: Uint8Array, at = 0): Place => {
  let rest = bytes.subarray(at)
  return {
    room: () => rest,
    land: (count) => {
      rest = rest.subarray(count)
    }
  }
}

/** `start` to `end` of an object, and where its bytes go to. */
export interface Stretch {
  readonly start: number
  readonly end: number
  readonly place: Place
}

/** Copies bytes to their place, when there is room. */
export const put = async ({ land, room, whenRoom }: Place, bytes: Uint8Array): Promise<void> => {
  for (let rest = bytes; rest.length > 0; ) {
    const free = room()
    if (free === undefined) {
      await whenRoom?.()
      continue
    }
    const some = rest.subarray(0, free.length)
    free.set(some)
    land(some.length)
    rest = rest.subarray(some.length)
  }
}

/** Where an answer's bytes land, of which the first is at `start` of the object. */
export const landingAt = (
  start: number,
  lengthBytesMax: number,
  place: Place,
  accepts: Landing["accepts"] = (lengthBytes) => lengthBytes <= lengthBytesMax
): Landing => {
  let landed = 0
  return {
    ...place,
    start,
    lengthBytesMax,
    accepts,
    land: (count) => {
      place.land(count)
      landed += count
    },
    get landed() {
      return landed
    },
    error: undefined
  }
}
