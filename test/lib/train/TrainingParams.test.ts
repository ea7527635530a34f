import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { DistillationParams } from "../../../lib/train/DistillationParams.ts"
import { TrainingParams, trainingFlaw } from "../../../lib/train/TrainingParams.ts"
import { PretrainParams } from "../../../stages/pretrain.ts"

const decode = <A, I>(schema: Schema.Codec<A, I>, input: unknown) =>
  Schema.decodeUnknownEffect(schema)(input, { onExcessProperty: "error" }).pipe(Effect.result)

describe("stochastic depth", () => {
  const training = TrainingParams.make({ epochs: 1, stochasticDepth: 0.1 })
  const mobileNet = { family: "mobilenet-v1", width: 1, activation: "relu" } as const

  it("is refused where there is no block to skip", () => {
    const architecture = { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" } as const
    assert.isUndefined(trainingFlaw({ architecture, training }))
    assert.match(trainingFlaw({ architecture: mobileNet, training })!, /which mobilenet-v1 has none of/)
    assert.isUndefined(
      trainingFlaw({ architecture: mobileNet, training: { ...training, stochasticDepth: 0 } })
    )
    const params = { architecture: mobileNet, training }
    assert.throws(() => Schema.decodeUnknownSync(PretrainParams)(params), /none of: leave it out/)
  })
})

describe("what would do nothing is refused", () => {
  const architecture = { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" } as const
  const flawOf = (changes: Partial<TrainingParams>) =>
    trainingFlaw({ architecture, training: TrainingParams.make({ epochs: 10, ...changes }) })

  it("a threshold of targets without a loss that knows one", () => {
    assert.match(flawOf({ targetThreshold: 0.2 })!, /targetThreshold is for .*"binary-sum" or "binary-mean"/)
    assert.isUndefined(flawOf({ targetThreshold: 0.2, loss: "binary-mean" }))
  })

  it("mixing that ends before it begins", () => {
    assert.match(flawOf({ mixup: 0.2, unmixedEpochs: 10 })!, /unmixedEpochs \(10\) .* all 10 epochs/)
    assert.match(flawOf({ cutmix: 1, unmixedEpochs: 11 })!, /unmixedEpochs \(11\)/)
    assert.isUndefined(flawOf({ mixup: 0.2, unmixedEpochs: 9 }))
    assert.isUndefined(flawOf({ unmixedEpochs: 10 }), "an ablation takes mixup off and leaves the rest")
  })
})

describe("TrainingParams", () => {
  it.effect("fills in the same defaults from JSON and in code", () =>
    Effect.gen(function* () {
      const made = TrainingParams.make({ epochs: 10 })
      assert.deepStrictEqual(yield* decode(TrainingParams, { epochs: 10 }), Result.succeed(made))
      assert.deepStrictEqual(made, {
        epochs: 10,
        batchSize: 128,
        learningRate: 0.1,
        warmupEpochs: 1,
        lrSchedule: { kind: "cosine" },
        momentum: 0.9,
        weightDecay: 5e-4,
        gradientNormMax: null,
        labelSmoothing: 0,
        augment: { pad: 0, flip: false },
        precision: "float32",
        initializer: "torch-default",
        seed: 0
      })
    })
  )

  it.effect("survives a round trip through JSON", () =>
    Effect.gen(function* () {
      const made = TrainingParams.make({ epochs: 3, augment: { pad: 2, flip: true }, precision: "bfloat16" })
      const encoded = yield* Schema.encodeEffect(TrainingParams)(made)
      assert.deepStrictEqual(
        yield* decode(TrainingParams, JSON.parse(JSON.stringify(encoded))),
        Result.succeed(made)
      )
    })
  )

  it.effect("leaves out what came later where it has its usual value", () =>
    Effect.gen(function* () {
      const usual = {
        ...{ microBatchSize: null, baseBatchSize: null, lrForm: "paper", weightDecayOn: "kernels" },
        ...{ optimizer: "nag", emaDecay: null, lossScale: "dynamic" },
        ...{ stochasticDepth: 0, imageSizes: null },
        epochs: 10
      }
      const plain = yield* decode(TrainingParams, { epochs: 10 })
      assert.deepStrictEqual(yield* decode(TrainingParams, usual), plain)
    })
  )

  for (const [what, input, message] of [
    [
      "parts that make up no batch",
      { epochs: 1, batchSize: 256, microBatchSize: 100 },
      /microBatchSize must divide batchSize, 256; got 100/
    ],
    [
      "a milestone that is there twice",
      { epochs: 9, lrSchedule: { kind: "step", milestones: [3, 3], factor: 0.1 } },
      /milestones must be epochs from 0 on, ascending; got 3, 3/
    ],
    [
      "a milestone before the first epoch",
      { epochs: 9, lrSchedule: { kind: "step", milestones: [-1, 3], factor: 0.1 } },
      /milestones must be epochs from 0 on, ascending; got -1, 3/
    ],
    ["a scale that rounds", { epochs: 1, lossScale: 1000 }, /lossScale must be a power of two .* got 1000/],
    ["an average that never moves", { epochs: 1, emaDecay: 1 }, /emaDecay must be from 0 to 0.999999, got 1/],
    ["no epochs", { epochs: 0 }, /epochs must be a whole number from 1 to 10000, got 0/],
    ["half an epoch", { epochs: 1.5 }, /epochs must be a whole number/],
    [
      "a negative learning rate",
      { epochs: 1, learningRate: -1 },
      /learningRate must be from 0 to 100, got -1/
    ],
    ["a learning rate that is not a number", { epochs: 1, learningRate: Number.NaN }, /learningRate/],
    ["a share above 1", { epochs: 1, cutmixShare: 2 }, /cutmixShare must be from 0 to 1, got 2/],
    ["a negative alpha", { epochs: 1, mixup: -0.2 }, /mixup must be from 0 to 100, got -0.2/],
    ["text for a number", { epochs: "10" }, /epochs/],
    ["an unknown precision", { epochs: 1, precision: "float8" }, /bfloat16/],
    ["an unknown key", { epochs: 1, weigthDecay: 1e-4 }, /weigthDecay/],
    ["an unknown key inside", { epochs: 1, augment: { padding: 2 } }, /padding/]
  ] as const) {
    it.effect(`refuses ${what}`, () =>
      Effect.map(decode(TrainingParams, input), (result) => {
        assert.isTrue(Result.isFailure(result))
        if (Result.isFailure(result)) assert.match(result.failure.message, message)
      })
    )
  }
})

describe("DistillationParams", () => {
  it.effect("is the paper's sum at T = 4 if nothing is said", () =>
    Effect.gen(function* () {
      const expected = { temperature: 4, combination: { form: "sum" } } as const
      assert.deepStrictEqual(yield* decode(DistillationParams, {}), Result.succeed(expected))
      assert.deepStrictEqual(DistillationParams.make({}), expected)
    })
  )

  it.effect("has one form, whether usual values of its later params are named or left out", () =>
    Effect.gen(function* () {
      const named = { teacherTop1: null, teacherMargin: 0.05 }
      assert.deepStrictEqual(yield* decode(DistillationParams, named), yield* decode(DistillationParams, {}))
      assert.deepStrictEqual(
        yield* decode(DistillationParams, { combination: { form: "decoupled" } }),
        Result.succeed({ temperature: 4, combination: { form: "decoupled", alpha: 1, beta: 8 } } as const)
      )
    })
  )

  it.effect("has one form without a warm-up of the teacher, and keeps one", () =>
    Effect.gen(function* () {
      const decoupled = { form: "decoupled", alpha: 1, beta: 8 } as const
      const of = (warmupEpochs: number) =>
        Effect.map(decode(DistillationParams, { combination: { ...decoupled, warmupEpochs } }), (result) =>
          Result.isSuccess(result)
            ? Schema.encodeSync(DistillationParams)(result.success).combination
            : undefined
        )
      assert.deepStrictEqual(yield* of(0), decoupled)
      assert.deepStrictEqual(yield* of(20), { ...decoupled, warmupEpochs: 20 })
    })
  )

  it.effect("refuses a temperature of 0", () =>
    Effect.map(decode(DistillationParams, { temperature: 0 }), (result) =>
      assert.match(String(result), /temperature must be above 0, at most 1000, got 0/)
    )
  )
})
