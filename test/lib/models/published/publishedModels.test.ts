import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadClassifier } from "../../../../lib/models/Classifier.ts"
import { publishedModelOf, publishedModels } from "../../../../lib/models/published/publishedModels.ts"

/** Parameters and MACs as their publishers, or who counted them, state them. */
const stated = [
  ["resnet50", 25_557_032, 4_089.18],
  ["resnet50d", 25_576_264, 4_328.82],
  ["gluon_resnet50_v1", 25_557_032, 3_857.97],
  ["resnet101_v1c", 44_568_392, 8_041.05],
  ["timm/resnet152d.gluon_in1k", 60_212_040, 11_753.27],
  ["resnet50s", 25_680_808, 5_444.34],
  ["mobilenet1.0", 4_231_976, 568.74],
  ["mobilenet0.25", 470_072, 41.03],
  ["inception_v3", 23_834_568, 5_713.22],
  ["cifar10_resnet20", 272_474, 40.81],
  ["cifar100_resnet56", 861_620, 125.75]
] as const

describe("published names", () => {
  it.effect.each(stated)("%s has as many parameters and MACs as is stated", ([name, params, megaMacs]) =>
    Effect.gen(function* () {
      const { architecture, inputPixels, numClasses } = yield* publishedModelOf(name)
      const classifier = yield* loadClassifier({ architecture, imageChannels: 3, numClasses })
      assert.strictEqual(classifier.parameters, params)
      assert.closeTo(classifier.macs(inputPixels, inputPixels) / 1e6, megaMacs, 0.006)
    })
  )

  it("stand for one network each", () => {
    const names = publishedModels.map(({ name }) => name)
    assert.deepStrictEqual([...new Set(names)], names)
  })

  it.effect("that nobody knows are refused, with those that are known", () =>
    Effect.map(Effect.flip(publishedModelOf("resnet51")), ({ message }) =>
      assert.match(message, /no network "resnet51"\. Take one of these: resnet18, .*resnet50d/)
    )
  )
})
