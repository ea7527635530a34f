/** A case made ready on our runtime: the trainer's own step, or the evaluation forward. */
import { Effect } from "effect"
import { writeTargets } from "../../../lib/losses/targets.ts"
import type { Architecture } from "../../../lib/models/Architecture.ts"
import { type Classifier, loadClassifier } from "../../../lib/models/Classifier.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import { evaluation } from "../../../lib/nn/Mode.ts"
import { isTrainable, sizeOf } from "../../../lib/nn/Weights.ts"
import { type Precision, TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { classificationTask } from "../../../lib/train/tasks/classification.ts"
import { distillationTask } from "../../../lib/train/tasks/distillation.ts"
import { trainStep } from "../../../lib/train/train-step.ts"
import { makeVariables } from "../../../lib/train/variables.ts"
import { type Assignment, type NetworkCase, recipe } from "./cases.ts"

/** An effect that runs one step (forward pass, chain of products) on inputs that stay the same. */
export const openStep = (assignment: Assignment) => {
  switch (assignment.what) {
    case "training":
      return Effect.map(openTraining(assignment.case, assignment.precision), Effect.asVoid)
    case "inference":
      return Effect.map(openInference(assignment.case, assignment.precision), Effect.asVoid)
    case "matmul":
      return Effect.map(openMatMul(assignment), Effect.asVoid)
  }
}

const firstVariables = (classifier: Classifier, name: string) =>
  makeVariables(
    initializeWeights(classifier.weights, "he-normal-fan-out", RandomStream.make(0, "weights", name))
  )

const classifierOf = (architecture: Architecture, numClasses: number) =>
  loadClassifier({ architecture, imageChannels: 3, numClasses })

const pixels = ({ batch, size }: NetworkCase): Float32Array => {
  const random = RandomStream.make(0, "pixels")
  return Float32Array.from({ length: batch * size * size * 3 }, () => random.between(-2, 2))
}

const openTraining = Effect.fn(function* (the: NetworkCase, precision: Precision) {
  const { batch, numClasses, size } = the
  const runtime = yield* TensorRuntime
  const classifier = yield* classifierOf(the.architecture, numClasses)
  const weights = yield* firstVariables(classifier, "network")
  const velocities = yield* makeVariables(
    Object.fromEntries(
      classifier.weights
        .filter(isTrainable)
        .map(({ name, shape }) => [name, { shape, values: new Float32Array(sizeOf(shape)) }])
    )
  )
  const update = trainStep({ task: yield* taskOf(the, classifier), weights, velocities, optimizer: recipe })
  const step = yield* runtime.jit((inputs) => update(inputs, inputs.learningRate as tf.Scalar), {
    inputs: {
      images: { shape: [batch, size, size, 3], dtype: "float32" },
      targets: { shape: [batch, numClasses], dtype: "float32" },
      learningRate: { shape: [], dtype: "float32" }
    },
    precision
  })
  const labels = Int32Array.from({ length: batch }, (_, index) => index % numClasses)
  const feeds = yield* step.allocate
  feeds.images.set(pixels(the))
  writeTargets(feeds.targets as Float32Array, labels, numClasses, recipe)
  feeds.learningRate.set([recipe.learningRate])
  return Effect.suspend(() => step.run(feeds))
})

const taskOf = Effect.fn(function* ({ numClasses, teacher }: NetworkCase, student: Classifier) {
  if (teacher === undefined) return classificationTask(student)
  const classifier = yield* classifierOf(teacher, numClasses)
  return distillationTask({
    student,
    teacher: classifier,
    teacherWeights: yield* firstVariables(classifier, "teacher"),
    temperature: recipe.temperature,
    combination: { form: "sum" }
  })
})

const openInference = Effect.fn(function* (the: NetworkCase, precision: Precision) {
  const { batch, numClasses, size } = the
  const runtime = yield* TensorRuntime
  const classifier = yield* classifierOf(the.architecture, numClasses)
  const weights = yield* firstVariables(classifier, "network")
  const forward = yield* runtime.jit(
    (inputs) => ({ logits: classifier.apply(weights, inputs.images as tf.Tensor4D, evaluation) }),
    { inputs: { images: { shape: [batch, size, size, 3], dtype: "float32" } }, precision }
  )
  const feeds = yield* forward.allocate
  feeds.images.set(pixels(the))
  return Effect.suspend(() => forward.run(feeds))
})

const openMatMul = Effect.fn(function* (options: Extract<Assignment, { readonly what: "matmul" }>) {
  const { count, precision, size } = options
  const runtime = yield* TensorRuntime
  const random = RandomStream.make(0, "matrix")
  const deviation = 1 / Math.sqrt(size)
  const values = Float32Array.from({ length: size * size }, () => random.gaussian() * deviation)
  const { matrix } = yield* makeVariables({ matrix: { shape: [size, size], values } })
  const chain = yield* runtime.jit(
    ({ scale }) => {
      let product = tf.mul(matrix as tf.Tensor2D, scale)
      for (let index = 0; index < count; index++) product = tf.matMul(product, matrix as tf.Tensor2D)
      return { mean: tf.mean(product) }
    },
    { inputs: { scale: { shape: [], dtype: "float32" } }, precision }
  )
  return Effect.suspend(() => chain.run({ scale: Float32Array.of(1) }))
})
