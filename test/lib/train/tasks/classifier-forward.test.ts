import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerPortable } from "../../../../infra/tensorflow/PortableRuntime.ts"
import { crossEntropy } from "../../../../lib/losses/cross-entropy.ts"
import { makeClassifier } from "../../../../lib/models/Classifier.ts"
import { sequentialBackbone } from "../../../../lib/models/sequential-backbone.ts"
import { initializeWeights } from "../../../../lib/nn/initializers.ts"
import type { LayerFor } from "../../../../lib/nn/layers.ts"
import { BatchStatistics, evaluation, training } from "../../../../lib/nn/Mode.ts"
import { isTrainable } from "../../../../lib/nn/Weights.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { classificationTask } from "../../../../lib/train/tasks/classification.ts"
import { distillationTask } from "../../../../lib/train/tasks/distillation.ts"
import { makeVariables } from "../../../../lib/train/variables.ts"

const conv =
  (name: string): LayerFor =>
  (inputs) => ({
    kind: "conv",
    activation: "relu",
    conv: { name, size: 1, inputs, outputs: 4, stride: 1 },
    norm: { name: `${name}.bn`, channels: 4 }
  })

/** Two maps of 4 channels, an auxiliary classifier on the first, half of the second's features dropped. */
const classifier = makeClassifier(
  {
    ...sequentialBackbone({
      imageChannels: 2,
      parts: [
        ["c4", conv("first")],
        ["c5", conv("second")]
      ]
    }),
    classifier: { dropout: 0.5 },
    auxiliary: {
      ...{ feature: "c4", name: "beside", weights: [], channels: 4 },
      apply: (_, map) => map,
      extent: (cells) => cells
    }
  },
  3
)

const random = RandomStream.make(1, "classifier forward")
const draw = (length: number) => Float32Array.from({ length }, () => random.gaussian())
const images = draw(2 * 9 * 2)
const inputs = () => ({
  images: tf.tensor4d(images, [2, 3, 3, 2]),
  targets: tf.tensor2d([1, 0, 0, 0, 0, 1], [2, 3]),
  kept: tf.tensor2d([2, 0, 2, 0, 0, 0, 2, 2], [2, 4])
})

const weights = makeVariables(
  initializeWeights(classifier.weights, "torch-default", RandomStream.make(2, "weights"))
)

const provided = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.scoped, Effect.provide(layerPortable))

describe("a classifier that learns", () => {
  for (const [said, auxiliaryWeight, learning] of [
    ["by 0.4 where nothing is said", 0.4, {}],
    ["by as much as is said", 0.25, { auxiliaryWeight: 0.25 }]
  ] as const) {
    it.effect(`adds the auxiliary classifier's loss ${said}`, () =>
      Effect.gen(function* () {
        const tensors = yield* weights
        tf.tidy(() => {
          const fed = inputs()
          const mode = training(classifier.weights, new BatchStatistics())
          const again = training(classifier.weights, new BatchStatistics())
          const task = classificationTask(classifier, learning)
          const { loss } = task.forward(tensors, fed, mode)
          const both = classifier.auxiliary!.apply(tensors, fed.images, { ...again, kept: fed.kept } as never)
          const [main, beside] = [both.logits, both.auxiliary].map(
            (logits) => crossEntropy(fed.targets, logits).dataSync()[0]!
          )
          assert.approximately(loss.dataSync()[0]!, main! + auxiliaryWeight * beside!, 1e-6)
          assert.deepStrictEqual(task.weights, classifier.weights)
        })
      }).pipe(provided)
    )
  }

  it.effect("leaves the auxiliary classifier as it is at a weight of 0", () =>
    Effect.gen(function* () {
      const tensors = yield* weights
      const task = classificationTask(classifier, { auxiliaryWeight: 0 })
      const fixed = task.weights.filter((spec) => !isTrainable(spec) && !spec.name.includes("running"))
      assert.deepStrictEqual(
        fixed.map(({ name }) => name),
        ["beside.weight", "beside.bias"]
      )
      tf.tidy(() => {
        const fed = inputs()
        const { grads } = tf.variableGrads(
          () => task.forward(tensors, fed, training(task.weights, new BatchStatistics())).loss,
          [tensors["beside.weight"]!, tensors["fc.weight"]!]
        )
        assert.notExists(grads[tensors["beside.weight"]!.name])
        assert.exists(grads[tensors["fc.weight"]!.name])
      })
    }).pipe(provided)
  )

  it.effect("drops features as its batch says, only while it learns, and asks for that batch", () =>
    Effect.gen(function* () {
      const tensors = yield* weights
      tf.tidy(() => {
        const { kept, ...fed } = inputs()
        const task = classificationTask(classifier)
        const mode = () => training(classifier.weights, new BatchStatistics())
        assert.throws(() => task.forward(tensors, fed, mode()), /batches must say which/)
        const gradient = (factors: tf.Tensor) =>
          tf.variableGrads(
            () => task.forward(tensors, { ...fed, kept: factors } as never, mode()).loss,
            [tensors["fc.weight"]!]
          ).grads[tensors["fc.weight"]!.name]!
        // A feature that is dropped for every image teaches its weights nothing.
        const none = gradient(tf.tensor2d([2, 0, 2, 2, 2, 0, 2, 2], [2, 4])).arraySync() as Array<
          Array<number>
        >
        assert.deepStrictEqual(none[1], [0, 0, 0])
        assert.notDeepEqual(none[0], [0, 0, 0])
        const evaluated = () => classifier.apply(tensors, fed.images, evaluation).dataSync()
        assert.deepStrictEqual(evaluated(), evaluated())
        assert.deepStrictEqual(classifier.dropout, { rate: 0.5, numFeatures: 4 })
        kept.dispose()
      })
    }).pipe(provided)
  )

  it.effect("has its auxiliary classifier listen to the teacher as well", () =>
    Effect.gen(function* () {
      const tensors = yield* weights
      const options = {
        student: classifier,
        teacher: classifier,
        teacherWeights: tensors,
        temperature: 2,
        combination: { form: "sum" }
      } as const
      tf.tidy(() => {
        const lossWith = (auxiliaryWeight: number) => {
          const task = distillationTask({ ...options, learning: { auxiliaryWeight } })
          const mode = training(task.weights, new BatchStatistics())
          return task.forward(tensors, inputs(), mode).loss.dataSync()[0]!
        }
        const [alone, half, whole] = [lossWith(0), lossWith(0.5), lossWith(1)] as const
        assert.isAbove(half, alone)
        assert.approximately(whole - alone, 2 * (half - alone), 1e-5)
      })
    }).pipe(provided)
  )
})
