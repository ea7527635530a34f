/** Files of weights with something wrong, drawn by a random stream; checksums are made right again. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { listZip } from "../../lib/models/published/zip.ts"
import { encodeSafetensors } from "../../lib/models/safetensors.ts"
import type { RandomStream } from "../../lib/tensor/random.ts"
import { zipArchive } from "./zipArchive.ts"

export interface WeightsSample {
  readonly name: string
  readonly bytes: Uint8Array
}

const folder = join(import.meta.dirname, "../golden/published-weights")

const manyArrays = (): Uint8Array =>
  encodeSafetensors({
    arrays: Object.fromEntries(
      Array.from({ length: 2000 }, (_, index) => [
        `layer${index}.weight`,
        { shape: [2, 2], values: Float32Array.of(index, 1, 2, 3) }
      ])
    ),
    metadata: { format: "pt" }
  })

/** What PyTorch and safetensors wrote, and a file of many arrays. */
export const weightsSamples: ReadonlyArray<WeightsSample> = [
  ...readdirSync(folder)
    .filter((file) => /\.(pth|pt|safetensors)$/.test(file))
    .sort()
    .map((file) => ({ name: file, bytes: Uint8Array.from(readFileSync(join(folder, file))) })),
  { name: "many arrays", bytes: manyArrays() }
]

const pick = <A>(random: RandomStream, from: ReadonlyArray<A>): A => from[random.below(from.length)]!

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(Buffer.concat(parts))

type Mutate = (bytes: Uint8Array, random: RandomStream) => Uint8Array

const withByte =
  (change: (byte: number, random: RandomStream) => number): Mutate =>
  (bytes, random) => {
    const copy = Uint8Array.from(bytes)
    const at = random.below(copy.length)
    copy[at] = change(copy[at]!, random)
    return copy
  }

/** Numbers at which readers err: none, one, the largest and one more, in as many bytes. */
const extremes = [
  [0],
  [1],
  [0xff],
  [0x7f],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0, 0, 0, 0x80]
]

/** Operations of pickles, brackets and digits of JSON. */
const words = [
  ..."(ctR}]u.QbqhK0e2N\u0085\u0094\u0088\u008a",
  ...'{}[]",:0123456789',
  "9007199254740993",
  "1e99",
  "-1"
]

const mutations: ReadonlyArray<Mutate> = [
  withByte((byte, random) => byte ^ (1 << random.below(8))),
  withByte((_, random) => random.below(256)),
  withByte((_, random) => pick(random, words).charCodeAt(0)),
  (bytes, random) => {
    const copy = Uint8Array.from(bytes)
    const at = random.below(copy.length)
    copy.set(pick(random, extremes).slice(0, copy.length - at), at)
    return copy
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => {
    const at = random.below(bytes.length)
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(16)))
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    return joined(bytes.subarray(0, at), Buffer.from(pick(random, words), "latin1"), bytes.subarray(at))
  },
  // A piece of it once more, elsewhere and sometimes often.
  (bytes, random) => {
    const begin = random.below(bytes.length)
    const piece = bytes.subarray(begin, begin + 1 + random.below(200))
    const at = random.below(bytes.length)
    const copies = random.below(4) === 0 ? 1 + random.below(2000) : 1
    return joined(bytes.subarray(0, at), ...Array<Uint8Array>(copies).fill(piece), bytes.subarray(at))
  }
]

const mutate: Mutate = (bytes, random) => {
  let mutated = bytes
  for (let count = 1 + random.below(4); count > 0 && mutated.length > 0; count--) {
    mutated = pick(random, mutations)(mutated, random)
  }
  return mutated
}

/** One file within the archive, packed again with the checksum of what it now is. */
const mutatedWithin: Mutate = (bytes, random) => {
  const entries = [...listZip(bytes).values()]
  const pickle = entries.find(({ name }) => name.endsWith("data.pkl"))!
  const chosen = random.below(4) === 0 ? pick(random, entries) : pickle
  return zipArchive(
    entries
      .filter(({ deflated }) => !deflated)
      .map((entry) => ({
        name: entry.name,
        content: Buffer.from(entry === chosen ? mutate(entry.packed, random) : entry.packed),
        stored: random.below(8) > 0
      }))
  )
}

/** The header of a safetensors file, under its right length. */
const mutatedHeader: Mutate = (bytes, random) => {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  const header = mutate(bytes.subarray(8, 8 + length), random)
  const prefix = new Uint8Array(8)
  new DataView(prefix.buffer).setBigUint64(0, BigInt(header.length), true)
  return joined(prefix, header, bytes.subarray(8 + length))
}

/** One of the samples, with one to four things changed. */
export const mutatedWeights = (random: RandomStream): WeightsSample => {
  const { bytes, name } = pick(random, weightsSamples)
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b
  const within = isZip ? mutatedWithin : /\.pth$/.test(name) ? mutate : mutatedHeader
  return { name, bytes: (random.below(3) > 0 ? within : mutate)(bytes, random) }
}
