/** Milliseconds per training step of CIFAR ResNets, ours and PyTorch's in turns, threads and work alike. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { createInterface } from "node:readline"
import { Effect } from "effect"
import { classificationBatches } from "../../lib/data/batches.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { isTrainable, sizeOf } from "../../lib/nn/Weights.ts"
import type { Precision } from "../../lib/tensor/Runtime.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import type { tf } from "../../lib/tensor/tf.ts"
import { classificationTask } from "../../lib/train/tasks/classification.ts"
import { trainStep } from "../../lib/train/train-step.ts"
import { makeVariables } from "../../lib/train/variables.ts"
import { native } from "../support/runtimes.ts"
import { median, type Row, row } from "./Row.ts"

interface Case {
  readonly depth: number
  readonly width: number
  readonly batch: number
  readonly size: number
  readonly channels: 1 | 3
  readonly precision: Precision
}

const cases: ReadonlyArray<Case> = [
  { depth: 20, width: 16, batch: 128, size: 28, channels: 1, precision: "bfloat16" },
  { depth: 20, width: 16, batch: 128, size: 28, channels: 1, precision: "float32" },
  { depth: 8, width: 8, batch: 128, size: 28, channels: 1, precision: "bfloat16" },
  { depth: 8, width: 8, batch: 128, size: 28, channels: 1, precision: "float32" }
]
const rounds = 7
const stepsPerRound = 15
const threads = availableParallelism()

/** PyTorch in a process of its own that runs as many steps as it is asked to. */
const startPeer = ({ batch, channels, depth, precision, size, width }: Case) => {
  const python = process.env.DISTILLERY_PEER_PYTHON
  if (python === undefined) return undefined
  const script = new URL("./peers/train_step.py", import.meta.url).pathname
  const args = [script, depth, width, batch, size, channels, precision, threads].map(String)
  const child: ChildProcessWithoutNullStreams = spawn(python, args)
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const answer = await answers.next()
    if (answer.done === true) throw new Error("the peer ended early: does DISTILLERY_PEER_PYTHON have torch?")
    return JSON.parse(answer.value) as { readonly version?: string; readonly milliseconds?: number }
  }
  const ready = next()
  return {
    version: ready.then(({ version }) => version ?? ""),
    time: async (steps: number) => {
      await ready
      child.stdin.write(`${steps}\n`)
      return (await next()).milliseconds!
    },
    stop: () => child.kill()
  }
}

/** Our step, batches included, as the trainer runs it. */
const openOurs = Effect.fn(function* ({ batch, channels, depth, precision, size, width }: Case) {
  const runtime = yield* TensorRuntime
  const classifier = yield* loadClassifier({
    architecture: { family: "resnet-cifar", depth, width, shortcut: "B" },
    imageChannels: channels,
    numClasses: 10
  })
  const weights = initializeWeights(classifier.weights, "torch-default", RandomStream.make(0, "weights"))
  const variables = yield* makeVariables(weights)
  const velocities = yield* makeVariables(
    Object.fromEntries(
      classifier.weights
        .filter(isTrainable)
        .map(({ name, shape }) => [name, { shape, values: new Float32Array(sizeOf(shape)) }])
    )
  )
  const update = trainStep({
    task: classificationTask(classifier),
    weights: variables,
    velocities,
    optimizer: { momentum: 0.9, weightDecay: 5e-4 }
  })
  const batches = classificationBatches({
    dataset: {
      images: new Uint8Array(batch * 10 * size * size * channels).map((_, i) => (i * 31) % 251),
      labels: new Int32Array(batch * 10).map((_, i) => i % 10),
      height: size,
      width: size,
      channels
    },
    normalization: { mean: Array(channels).fill(0.5), std: Array(channels).fill(0.25) },
    numClasses: 10,
    batchSize: batch,
    seed: 0,
    labelSmoothing: 0,
    augment: { pad: 2, flip: true }
  })
  const step = yield* runtime.jit((inputs) => update(inputs, inputs.learningRate as tf.Scalar), {
    inputs: { ...batches.inputs, learningRate: { shape: [], dtype: "float32" } },
    precision
  })
  const feeds = {
    images: new Float32Array(batch * size * size * channels),
    targets: new Float32Array(batch * 10),
    learningRate: Float32Array.of(0.01)
  }
  return Effect.fn(function* (steps: number) {
    const began = performance.now()
    for (let i = 0; i < steps; i++) {
      batches.fill({ epoch: 0, step: i % 10 }, feeds)
      yield* step.run(feeds)
    }
    return (performance.now() - began) / steps
  })
})

const nameOf = ({ batch, channels, depth, precision, size, width }: Case) =>
  `ResNet-${depth} w${width} batch ${batch}, ${size}×${size}×${channels}, ${precision}`

const measureCase = (the: Case) =>
  Effect.gen(function* () {
    const ours = yield* openOurs(the)
    const peer = startPeer(the)
    yield* ours(3)
    const own: Array<number> = []
    const theirs: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      own.push(yield* ours(stepsPerRound))
      if (peer !== undefined) theirs.push(yield* Effect.promise(() => peer.time(stepsPerRound)))
    }
    peer?.stop()
    return row({
      name: nameOf(the),
      value: median(own),
      unit: "ms/step",
      peer: peer === undefined ? "PyTorch" : `PyTorch ${yield* Effect.promise(() => peer.version)}`,
      peerValue: theirs.length === 0 ? null : median(theirs)
    })
  }).pipe(Effect.scoped, Effect.provide(native.layer))

export const measure = async (): Promise<ReadonlyArray<Row>> => {
  if (native.skipped !== "") throw new Error(`there is no native runtime to measure${native.skipped}`)
  const rows: Array<Row> = []
  for (const the of cases) rows.push(await Effect.runPromise(measureCase(the)))
  return rows
}
