/** bfloat16 as kernels in C see it: the upper halves of float32. */

/** The values nearest to those given that bfloat16 has, ties to even. */
export const roundedToBf16 = (values: Float32Array): Float32Array => fromHalves(halvesOf(values))

export const halvesOf = (values: Float32Array): Uint16Array =>
  Uint16Array.from(
    new Uint32Array(values.slice().buffer),
    (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  )

export const fromHalves = (halves: Uint16Array): Float32Array =>
  new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer)
