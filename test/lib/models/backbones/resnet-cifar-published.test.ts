/** Our ResNets with published CIFAR-10 weights, against what PyTorch says of the same pixels. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layer as codecLayer } from "../../../../infra/images/SharpImageCodec.ts"
import {
  expected,
  fortyImages,
  publishedLogits,
  publishedNames,
  withoutPacks
} from "../../../support/publishedCifar.ts"
import { native } from "../../../support/runtimes.ts"

const skipped = native.skipped || withoutPacks("weights.tar", "cifar10-lossless-4000.tar")

describe("published CIFAR-10 ResNets", () => {
  it.live.skipIf(skipped !== "")(
    `give PyTorch's logits for 20 lossy and 20 lossless images${skipped}`,
    () =>
      Effect.gen(function* () {
        const { lossless, models } = yield* expected
        const images = yield* fortyImages
        for (const name of publishedNames) {
          const logits = yield* publishedLogits(name, images)
          const wanted = [...models[name].logits, ...lossless.logits[name]].flat()
          assert.strictEqual(logits.length, wanted.length)
          for (const [i, logit] of wanted.entries()) assert.approximately(logits[i]!, logit, 1e-4, name)
        }
      }).pipe(Effect.provide(Layer.merge(native.layer, codecLayer))),
    120_000
  )
})
