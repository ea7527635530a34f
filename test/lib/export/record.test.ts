/** What is recorded of a network, what is folded, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { transposed } from "../../../lib/export/channels-first.ts"
import { foldNormalizations } from "../../../lib/export/fold.ts"
import { BATCH, inOrder, namesOf } from "../../../lib/export/InferenceGraph.ts"
import { recordClassifier } from "../../../lib/export/record.ts"
import { toTorch } from "../../../lib/export/torch-weights.ts"
import type { Classifier } from "../../../lib/models/Classifier.ts"
import { fitWeights } from "../../../lib/models/published/fitWeights.ts"
import { readWeightsFile } from "../../../lib/models/published/readWeightsFile.ts"
import { encodeWeights } from "../../../lib/models/weights.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { exportedModel } from "../../support/exportedModels.ts"

const resNet8 = { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" } as const
const model = exportedModel({ architecture: resNet8, height: 16, width: 12 })

const recordedWith = Effect.fn(function* (apply?: Classifier["apply"]) {
  const { classifier, value, weights } = yield* model
  return yield* recordClassifier({
    classifier: apply === undefined ? classifier : { ...classifier, apply },
    weights,
    size: [16, 12, 3],
    normalization: value.preprocessing
  })
})

const kindsOf = (graph: Parameters<typeof inOrder>[0]) => {
  const counts: Record<string, number> = {}
  for (const { operation } of inOrder(graph)) counts[operation.kind] = (counts[operation.kind] ?? 0) + 1
  return counts
}

describe("recording a classifier", () => {
  it.effect("leaves the batch open, and the backend as it was", () =>
    Effect.gen(function* () {
      yield* Effect.promise(() => tf.setBackend("cpu"))
      const { input, outputs } = yield* recordedWith()
      assert.deepStrictEqual(input.shape, [BATCH, 16, 12, 3])
      assert.deepStrictEqual(outputs.logits!.shape, [BATCH, 5])
      assert.deepStrictEqual(outputs.probabilities!.shape, [BATCH, 5])
      assert.strictEqual(tf.getBackend(), "cpu")
      assert.deepStrictEqual([...tf.add([1, 2], [3, 4]).dataSync()], [4, 6])
    })
  )

  it.effect("folds every normalisation behind a convolution into it", () =>
    Effect.gen(function* () {
      const graph = yield* recordedWith()
      // The stem, two a block, a projection in two of the three blocks.
      const convolutions = 1 + 2 * 3 + 2
      const before = kindsOf(graph)
      const after = kindsOf(foldNormalizations(graph))
      assert.deepStrictEqual([before.Convolution, before.Normalization], [convolutions, convolutions])
      assert.deepStrictEqual([after.Convolution, after.Normalization], [convolutions, undefined])
      // Three residuals, the shift of the pixels, the bias of the logits.
      assert.strictEqual(after.Add, 3 + 1 + 1)
    })
  )

  it.effect("keeps a convolution that others read as it is", () =>
    Effect.gen(function* () {
      const apply: Classifier["apply"] = (weights, images) => {
        const convolved = tf.conv2d(images, weights["conv1.weight"] as tf.Tensor4D, 1, "same")
        const statistic = (name: string) => weights[`bn1.${name}`] as tf.Tensor1D
        const normalised = tf.batchNorm(
          convolved,
          statistic("running_mean"),
          statistic("running_var"),
          statistic("bias"),
          statistic("weight"),
          1e-5
        )
        return tf.mean(tf.add(convolved, normalised), [1, 2])
      }
      const graph = yield* recordedWith(apply)
      const { Add, Convolution, Multiply } = kindsOf(foldNormalizations(graph))
      assert.deepStrictEqual([Convolution, Multiply, Add], [1, 2, 3])
    })
  )

  it.effect("gives every node a name of its own, the weights theirs", () =>
    Effect.gen(function* () {
      const graph = foldNormalizations(yield* recordedWith())
      const names = [...namesOf(graph).values()]
      assert.lengthOf(new Set(names), names.length)
      for (const name of ["images", "logits", "probabilities", "conv1.weight", "layer2.0.conv1", "fc.bias"]) {
        assert.include(names, name)
      }
    })
  )

  it.effect.each([
    ["an operation that is not known", (x: tf.Tensor4D) => tf.mean(tf.erf(x), [1, 2]), /Erf is an operation/],
    ["values", (x: tf.Tensor4D) => tf.scalar(x.dataSync()[0]!), /dataSync reads values/],
    ["a mix of images", (x: tf.Tensor4D) => tf.mean(x, [0, 1]), /Mean mixes the images/],
    ["images in one row", (x: tf.Tensor4D) => tf.reshape(x, [1, -1]), /Reshape mixes the images/]
  ] as const)("refuses %s, and names it", ([, apply, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(recordedWith((_, images) => apply(images) as tf.Tensor2D))
      assert.strictEqual(error._tag, "ExportUnsupported")
      assert.match(error.message, message)
      // Nothing stays behind: the next recording is as the first.
      assert.isDefined((yield* recordedWith()).outputs.logits)
    })
  )

  it.effect("lets a mistake in the network end as the mistake it is", () =>
    Effect.gen(function* () {
      const apply: Classifier["apply"] = () => {
        throw new TypeError("a slip")
      }
      const exit = yield* Effect.exit(recordedWith(apply))
      assert.include(String(exit), "a slip")
    })
  )
})

describe("arrays in another order of axes", () => {
  it.each([[[0, 1, 2, 3]], [[3, 2, 0, 1]], [[2, 3, 1, 0]], [[0, 3, 1, 2]]])(
    "agree with tfjs: %j",
    (order) => {
      const shape = [2, 3, 4, 5]
      const values = Float32Array.from({ length: 120 }, (_, at) => at)
      void tf.setBackend("cpu")
      const expected = tf.transpose(tf.tensor(values, shape), order)
      const found = transposed({ shape, values }, order)
      assert.deepStrictEqual(found.shape, expected.shape)
      assert.deepStrictEqual([...found.values], [...expected.dataSync()])
    }
  )

  it.effect("weights in PyTorch's layouts are read as the weights they are", () =>
    Effect.gen(function* () {
      const { classifier, weights } = yield* model
      const torch = toTorch(weights)
      assert.deepStrictEqual(torch["conv1.weight"]!.shape, [4, 3, 3, 3])
      assert.deepStrictEqual(torch["fc.weight"]!.shape, [5, 16])
      const { tensors } = yield* readWeightsFile(encodeWeights(torch, { format: "pt" }))
      const { report, weights: read } = yield* fitWeights(tensors, classifier.weights)
      assert.deepStrictEqual(read, weights)
      assert.deepStrictEqual([report.renamed, report.reshaped, report.leftOut], [[], [], []])
    })
  )
})
