/** Our optimizer step and sum of tensors against tfjs's operations one after another, bit for bit. */
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { fromHalves, halvesOf, roundedToBf16 } from "../../../support/bfloat16.ts"
import { object, skipped, startThreads } from "../../../support/kernelObject.ts"

const update = object?.func(
  "void sgd_update(int64_t, float*, float*, float*, float, float, float, float*, float*)"
)
const add = object?.func("void add_tensors(int, int64_t, void*, void*, void*)")

const Elements = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40000 }))

const gaussians = (random: RandomStream, count: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.gaussian())

describe.skipIf(object === undefined)(`element-wise kernels${skipped}`, () => {
  startThreads?.(2)

  it.prop(
    "an optimizer step rounds like operations one after another",
    { count: Elements, decays: Schema.Boolean },
    ({ count, decays }) => {
      const random = RandomStream.make(count, "sgd")
      const [weight, velocity, gradient] = [1, 2, 3].map(() => gaussians(random, count)) as [
        Float32Array,
        Float32Array,
        Float32Array
      ]
      const [momentum, decay, rate] = [0.9, decays ? 1e-4 : 0, 0.05].map(Math.fround) as [
        number,
        number,
        number
      ]
      const { fround } = Math
      const decayed = gradient.map((g, i) => (decays ? fround(g + fround(weight[i]! * decay)) : g))
      const moved = velocity.map((v, i) => fround(fround(v * momentum) + decayed[i]!))
      const stepped = weight.map((w, i) =>
        fround(w - fround(fround(decayed[i]! + fround(moved[i]! * momentum)) * rate))
      )
      const newWeight = new Float32Array(count)
      const newVelocity = new Float32Array(count)
      update?.(count, weight, velocity, gradient, rate, momentum, decay, newWeight, newVelocity)
      expect(newVelocity).toEqual(moved)
      expect(newWeight).toEqual(stepped)
    },
    { arbitrary: { runs: 20, seed: 6 } }
  )

  it.prop(
    "a sum is rounded once",
    { count: Elements, low: Schema.Boolean },
    ({ count, low }) => {
      const random = RandomStream.make(count, "add")
      const [a, b] = [1, 2].map(() => {
        const values = gaussians(random, count)
        return low ? roundedToBf16(values) : values
      }) as [Float32Array, Float32Array]
      const wanted = a.map((value, index) => value + b[index]!)
      const sum = low ? new Uint16Array(count) : new Float32Array(count)
      add?.(low ? 1 : 0, count, low ? halvesOf(a) : a, low ? halvesOf(b) : b, sum)
      expect(sum instanceof Uint16Array ? fromHalves(sum) : sum).toEqual(low ? roundedToBf16(wanted) : wanted)
    },
    { arbitrary: { runs: 20, seed: 6 } }
  )
})
