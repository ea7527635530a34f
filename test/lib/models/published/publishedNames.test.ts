import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Architecture } from "../../../../lib/models/Architecture.ts"
import { loadClassifier } from "../../../../lib/models/Classifier.ts"
import { fitWeights } from "../../../../lib/models/published/fitWeights.ts"
import { publishedModelOf, publishedModels } from "../../../../lib/models/published/publishedModels.ts"
import type { NamedTensors } from "../../../../lib/models/StoredTensor.ts"
import { readGolden } from "../../../support/golden.ts"

type Shapes = Readonly<Record<string, ReadonlyArray<number>>>
const golden = readGolden<Readonly<Record<string, Shapes>>>("published-names")

/** Tensors of these shapes that all lie in one zero. */
const zeros = (shapes: Shapes): NamedTensors =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { dtype: "F32", shape, strides: shape.map(() => 0), offset: 0, storage: new Uint8Array(4) }
    ])
  )

const classifierOf = Effect.fnUntraced(function* (name: string) {
  const { architecture, numClasses } = yield* publishedModelOf(name)
  return yield* loadClassifier({ architecture, imageChannels: 3, numClasses })
})

const spellings: Readonly<Record<string, string>> = {
  resnet20_cifar10: "pytorchcv",
  resnet50_v1: "GluonCV",
  "mobilenet1.0": "GluonCV"
}

describe("the weights of a published network", () => {
  it.effect.each(Object.keys(golden))("have our names and shapes: %s", (name) =>
    Effect.gen(function* () {
      const classifier = yield* classifierOf(name)
      const { report } = yield* fitWeights(zeros(golden[name]!), classifier.weights)
      assert.deepStrictEqual(
        report.loaded,
        classifier.weights.map((spec) => spec.name)
      )
      assert.strictEqual(report.spelling, spellings[name] ?? "PyTorch")
      const left = report.leftOut.filter(({ reason }) => !reason.startsWith("a counter"))
      assert.isTrue(left.every(({ name: of }) => of.startsWith("AuxLogits.")))
      assert.lengthOf(left, name === "inception_v3" ? 12 : 0)
      // Two in each of 16 blocks.
      assert.lengthOf(report.absorbed, name === "resnet50_v1" ? 32 : 0)
    })
  )
})

describe("the name of a published network", () => {
  it.effect("may be what timm, GluonCV or torchvision write", () =>
    Effect.gen(function* () {
      const same = [
        [
          "resnet50d",
          "timm/resnet50d.ra2_in1k",
          "gluon_resnet50_v1d",
          "ResNet50_v1d",
          "resnet50d.gluon_in1k"
        ],
        ["resnet50", "tv_resnet50", "resnet50_v1b", "timm/resnet50.a1_in1k"],
        ["inception_v3", "inceptionv3", "inception_v3.tv_in1k"],
        ["mobilenet1.0", "gluon_mobilenet1.0"]
      ]
      for (const [first, ...others] of same) {
        const { architecture } = yield* publishedModelOf(first!)
        for (const other of others) {
          assert.deepStrictEqual((yield* publishedModelOf(other)).architecture, architecture, other)
        }
      }
    })
  )

  it.effect("stands for an architecture in its only form", () =>
    Effect.gen(function* () {
      for (const { architecture, name } of publishedModels) {
        assert.deepStrictEqual(
          yield* Schema.decodeUnknownEffect(Architecture)(architecture),
          architecture,
          name
        )
      }
    })
  )
})
