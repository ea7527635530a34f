/**
 * Counter-based random numbers: a stream is a function of its key, (seed, names and numbers…), and of nothing
 * else. What one stream draws never depends on what others drew, so results do not depend on worker count or
 * resuming.
 *
 * The generator is Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011, section 3.3): ten rounds of multiply and xor turn a counter into 128 random bits under a 64-bit
 * key.
 */

/**
 * A part of a stream's key: a name, or a non-negative integer up to 2^53 - 1 (an epoch, an example's number).
 */
export type KeyPart = string | number

export class RandomStream {
  private readonly key: readonly [number, number]
  private counter = 0
  private block: ReadonlyArray<number> = []
  private used = BLOCK_WORDS
  private spareGaussian: number | undefined

  private constructor(key: readonly [number, number]) {
    this.key = key
  }

  /** The stream of a key. Equal keys give equal streams; `1` and `"1"` are different parts. */
  static make(seed: number, ...parts: ReadonlyArray<KeyPart>): RandomStream {
    return parts.reduce<RandomStream>(
      (stream, part) => stream.derive(part),
      new RandomStream(absorb([0, 0], seed))
    )
  }

  /**
   * A stream of its own under a longer key; `make(s, a, b)` is `make(s, a).derive(b)`, whatever was drawn
   * before.
   */
  derive(...parts: ReadonlyArray<KeyPart>): RandomStream {
    return new RandomStream(parts.reduce<readonly [number, number]>(absorb, this.key))
  }

  /** The next 32 random bits, 0 to 2^32 - 1. */
  bits(): number {
    if (this.used === BLOCK_WORDS) {
      this.block = philox([low32(this.counter), high32(this.counter), 0, 0], this.key)
      this.counter += 1
      this.used = 0
    }
    const word = this.block[this.used] as number
    this.used += 1
    return word
  }

  /** Uniform in [0, 1), a multiple of 2^-24: exact in float32. */
  uniform(): number {
    return (this.bits() >>> 8) * 2 ** -24
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** An integer from 0 to `n - 1`, each equally likely; `n` from 1 to 2^32. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32) {
      throw new RangeError(`an integer below ${n} cannot be drawn: n must be an integer from 1 to 2^32`)
    }
    // Words from the last, incomplete run of n values would favour the small ones: draw again.
    const limit = TWO_32 - (TWO_32 % n)
    let word = this.bits()
    while (word >= limit) word = this.bits()
    return word % n
  }

  /** Normally distributed with mean 0 and deviation 1 (Box and Muller's transform, in pairs). */
  gaussian(): number {
    const spare = this.spareGaussian
    if (spare !== undefined) {
      this.spareGaussian = undefined
      return spare
    }
    // (0, 1]: the logarithm of 0 has no place here.
    const radius = Math.sqrt(-2 * Math.log((this.bits() + 1) / TWO_32))
    const angle = 2 * Math.PI * (this.bits() / TWO_32)
    this.spareGaussian = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** The integers 0 to `n - 1` in random order (Fisher and Yates' shuffle). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, index) => index)
    for (let last = n - 1; last > 0; last -= 1) {
      const chosen = this.below(last + 1)
      const swapped = order[last] as number
      order[last] = order[chosen] as number
      order[chosen] = swapped
    }
    return order
  }
}

const BLOCK_WORDS = 4
const TWO_32 = 2 ** 32

const low32 = (value: number): number => value >>> 0
const high32 = (value: number): number => Math.floor(value / TWO_32) >>> 0

/** A longer key: the old one encrypts the new part. The fourth word keeps numbers and names apart. */
const absorb = (key: readonly [number, number], part: KeyPart): readonly [number, number] => {
  if (typeof part === "number") {
    if (!Number.isSafeInteger(part) || part < 0) {
      throw new RangeError(
        `${part} cannot key a random stream: it takes integers from 0 to 2^53 - 1 and names`
      )
    }
    return firstPair(philox([low32(part), high32(part), 0, NUMBER_PART], key))
  }
  let mixed = key
  for (let index = 0; index < part.length; index += 1) {
    mixed = firstPair(philox([part.charCodeAt(index), index, part.length, NAME_PART], mixed))
  }
  return firstPair(philox([part.length, 0, 0, NAME_END], mixed))
}

const NUMBER_PART = 1
const NAME_PART = 2
const NAME_END = 3

const firstPair = (block: ReadonlyArray<number>): readonly [number, number] => [
  block[0] as number,
  block[1] as number
]

const ROUNDS = 10
const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const
/** Fractions of the golden ratio and of the square root of 3: the key's increments per round. */
const WEYL = [0x9e3779b9, 0xbb67ae85] as const

/** Four random words for a 128-bit counter under a 64-bit key. */
export const philox = (
  counter: readonly [number, number, number, number],
  key: readonly [number, number]
): ReadonlyArray<number> => {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round += 1) {
    const high0 = multiplyHigh(MULTIPLIERS[0], c0)
    const low0 = Math.imul(MULTIPLIERS[0], c0)
    const high1 = multiplyHigh(MULTIPLIERS[1], c2)
    const low1 = Math.imul(MULTIPLIERS[1], c2)
    c0 = high1 ^ c1 ^ k0
    c1 = low1
    c2 = high0 ^ c3 ^ k1
    c3 = low0
    k0 = (k0 + WEYL[0]) | 0
    k1 = (k1 + WEYL[1]) | 0
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0]
}

/** The upper 32 bits of the 64-bit product of two 32-bit integers, from 16-bit halves. */
const multiplyHigh = (a: number, b: number): number => {
  const a0 = a & 0xffff
  const a1 = a >>> 16
  const b0 = b & 0xffff
  const b1 = b >>> 16
  const middle = a1 * b0 + Math.floor((a0 * b0) / 0x10000)
  const carried = a0 * b1 + (middle % 0x10000)
  return (a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(carried / 0x10000)) | 0
}
