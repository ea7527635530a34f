/** How `test/golden/zoo/make.py` makes weights and pixels, and sums gradients up: the same bits. */
import { sizeOf, type WeightSpec, type Weights } from "../../lib/nn/Weights.ts"

/** From a ReLU's corner to the middle of what it is given, and standard deviation of that. */
const [LIFT, SPREAD] = [3, 3 / 4]
/** Of cells of one colour that images are made of, as exponents of 2. */
const OCTAVES = [0, 2, 4, 8]
/** Numbers that a gradient is summed up in, as an exponent of 2. */
const SKETCH_BITS = 4

/** make.py's `bits`. */
const hashed = (name: string): ((place: number) => number) => {
  let offset = 0x811c9dc5
  for (const letter of new TextEncoder().encode(name)) offset = Math.imul(offset ^ letter, 0x01000193)
  return (place) => {
    let x = (Math.imul(place, 0x9e3779b9) + offset) | 0
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
    return (x ^ (x >>> 16)) >>> 0
  }
}

/** Multiples of 2^-24 in [-0.5, 0.5), hashed from name and place. */
export const numbers = (name: string, count: number): Float32Array => {
  const bits = hashed(name)
  return Float32Array.from({ length: count }, (_, place) => (bits(place) >>> 8) / 2 ** 24 - 0.5)
}

/** Channels by the name of the kernel that gives them weights of 0. */
export type Unread = Readonly<Record<string, ReadonlyArray<number>>>

/** make.py's `fill`; without running statistics, which are what training sees. */
export const zooWeights = (specs: ReadonlyArray<WeightSpec>, unread: Unread = {}): Weights => {
  const layerOf = ({ name }: WeightSpec) => name.slice(0, name.lastIndexOf("."))
  const closing = new Set(specs.filter((spec) => spec.closesBranch === true).map(layerOf))
  return Object.fromEntries(
    specs.map((spec) => {
      const { name, shape } = spec
      const values = filled(numbers(name, sizeOf(shape)), spec, closing.has(layerOf(spec)))
      forget(values, shape, unread[name] ?? [])
      return [name, { shape, values }]
    })
  )
}

const filled = (values: Float32Array, { role, shape }: WeightSpec, closesBranch: boolean): Float32Array => {
  switch (role) {
    case "kernel":
      return kernel(values, shape)
    case "scale":
      return values.map((value) => (SPREAD * (1 + value / 2)) / (closesBranch ? 4 : 1))
    case "shift":
      return values.map((value) => (closesBranch ? (value + 1 / 2) / 4 : value / 2 + LIFT))
    default:
      return values
  }
}

/** make.py's `kernel`. */
const kernel = (values: Float32Array, shape: ReadonlyArray<number>): Float32Array => {
  const [inputs, outputs] = shape.slice(-2) as [number, number]
  if (inputs === 1) {
    const centre = Math.floor(values.length / outputs / 2)
    return values.map((value, place) => value / 4 + (Math.floor(place / outputs) === centre ? 1 / 2 : 0))
  }
  const factor = Math.sqrt(12 / (values.length / outputs))
  const made = new Float32Array(values.length)
  for (let tap = 0; tap < values.length; tap += inputs * outputs) {
    for (let output = tap; output < tap + outputs; output++) {
      let sum = 0
      for (let input = 0; input < inputs; input++) sum += values[output + input * outputs]!
      const mean = inputs > 3 ? sum / inputs : 0
      for (let place = output; place < tap + inputs * outputs; place += outputs) {
        made[place] = (values[place]! - mean) * factor
      }
    }
  }
  return made
}

const forget = (
  values: Float32Array,
  shape: ReadonlyArray<number>,
  channels: ReadonlyArray<number>
): void => {
  const [inputs, outputs] = shape.slice(-2) as [number, number]
  for (let tap = 0; tap < values.length; tap += inputs * outputs) {
    for (const channel of channels) {
      const start = tap + channel * outputs
      values.fill(0, start, start + outputs)
    }
  }
}

type ImagesShape = readonly [batch: number, height: number, width: number, channels: 3]

/** make.py's `images`, channels last. */
export const zooImages = (name: string, [batch, height, width, channels]: ImagesShape): Float32Array => {
  const pixels = new Float64Array(batch * height * width * channels)
  for (const octave of OCTAVES) {
    const [rows, columns] = [(height >> octave) + 1, (width >> octave) + 1]
    const cells = numbers(`${name} ${octave}`, batch * rows * columns * channels)
    for (let place = 0; place < pixels.length; place++) {
      const [channel, pixel] = [place % channels, Math.floor(place / channels)]
      const [column, row] = [(pixel % width) >> octave, (Math.floor(pixel / width) % height) >> octave]
      const image = Math.floor(pixel / (width * height))
      pixels[place]! += 2 * cells[((image * rows + row) * columns + column) * channels + channel]!
    }
  }
  return Float32Array.from(pixels)
}

/** make.py's `sketch`: of a difference, its norm is the difference's, give or take a fifth. */
export const sketch = (name: string, gradient: Float32Array): ReadonlyArray<number> => {
  const bits = hashed(`sketch ${name}`)
  const sums = new Array<number>(1 << SKETCH_BITS).fill(0)
  for (let place = 0; place < gradient.length; place++) {
    const drawn = bits(place)
    const sign = (drawn >>> (31 - SKETCH_BITS)) & 1 ? -1 : 1
    sums[drawn >>> (32 - SKETCH_BITS)]! += sign * gradient[place]!
  }
  return sums
}
