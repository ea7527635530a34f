import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerPortable } from "../../../../infra/tensorflow/PortableRuntime.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { clippedGradients } from "../../../../lib/train/optimizers/gradient-norm.ts"

/** Of norm 13 together: 3² + 4² + 12² = 13². */
const valuesOf = (normMax: number) =>
  Effect.sync(() =>
    tf.tidy(() => {
      const clipped = clippedGradients({ a: tf.tensor([3, 4]), b: tf.scalar(12) }, normMax)
      return [...clipped.a!.dataSync(), ...clipped.b!.dataSync()]
    })
  ).pipe(Effect.provide(layerPortable))

describe("clipping gradients", () => {
  it.effect("leaves small ones as they are, to the bit", () =>
    Effect.map(valuesOf(13), (values) => assert.deepStrictEqual(values, [3, 4, 12]))
  )

  it.effect("scales large ones together to the norm allowed", () =>
    Effect.map(valuesOf(6.5), (values) => assert.deepStrictEqual(values, [1.5, 2, 6]))
  )
})
