/**
 * PyTorch's side of an experiment: it is given our first weights, and for each step our learning rate and our
 * batch, images augmented and normalised; network, loss and optimizer are its own (`torch_side.py`).
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Writable } from "node:stream"
import { Effect, Schema } from "effect"
import { type Normalization, normalizationTable } from "../../lib/data/augment/normalization.ts"
import { evaluationBatches, fillEvaluationBatch, type LabelledImages } from "../../lib/data/batches.ts"
import { toTorch } from "../../lib/export/torch-weights.ts"
import type { ResNetCifar } from "../../lib/models/Architecture.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { learningRateAt } from "../../lib/train/lr-schedules.ts"
import type { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { peerPython } from "../bench/runtime/peerPython.ts"
import type { Outcome } from "./Experiment.ts"
import { experimentsFolder } from "./pipelineRuns.ts"
import { batchesOf, firstWeightsOf } from "./sameStart.ts"

export interface TorchOptions {
  /** Of the file that its state is kept in between epochs. */
  readonly name: string
  readonly architecture: ResNetCifar
  readonly numClasses: number
  readonly training: TrainingParams
  readonly dataset: { readonly train: LabelledImages; readonly test: LabelledImages }
  readonly normalization: Normalization
  /** Stops within the first epoch after so many steps, and tests nothing. */
  readonly stepsMax?: number
  /** Computes in float64. */
  readonly double?: boolean
}

const Told = Schema.Struct({
  version: Schema.String,
  /** Of each step, of those epochs that this or an earlier process did. */
  stepLosses: Schema.Array(Schema.Number),
  epochLosses: Schema.Array(Schema.Number),
  epochTop1: Schema.Array(Schema.Number),
  top1: Schema.NullOr(Schema.Number),
  loss: Schema.NullOr(Schema.Number)
})

const testBatchSize = 500

/** Epochs that a state beside `file` says are done. */
const epochsDone = (file: string): number =>
  existsSync(`${file}.json`)
    ? (JSON.parse(readFileSync(`${file}.json`, "utf8")) as { epochs: number }).epochs
    : 0

const bytesOf = (values: Float32Array | Int32Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength)

/** Copies are written: the arrays are filled anew while the pipe is still busy. */
const writer = (stream: Writable) => async (values: Float32Array | Int32Array) => {
  if (!stream.write(Buffer.from(bytesOf(values)))) await once(stream, "drain")
}

const feedSteps = async (options: TorchOptions, firstEpoch: number, write: ReturnType<typeof writer>) => {
  const { stepsMax = Number.POSITIVE_INFINITY, training } = options
  const batches = batchesOf({ ...options, dataset: options.dataset.train })
  const stepsPerEpoch = Math.min(batches.stepsPerEpoch, stepsMax)
  const sizeOf = (input: "images" | "targets") => batches.inputs[input].shape.reduce((a, b) => a * b)
  const feeds = { images: new Float32Array(sizeOf("images")), targets: new Float32Array(sizeOf("targets")) }
  for (let epoch = firstEpoch; epoch < training.epochs; epoch++) {
    for (let step = 0; step < stepsPerEpoch; step++) {
      batches.fill({ epoch, step }, feeds)
      const rate = learningRateAt({ ...training, stepsPerEpoch }, epoch * stepsPerEpoch + step)
      await write(Float32Array.of(rate))
      await write(feeds.images)
      await write(feeds.targets)
    }
    if (stepsMax !== Number.POSITIVE_INFINITY) break
  }
}

const feedTest = async (
  { dataset: { test }, normalization }: TorchOptions,
  write: ReturnType<typeof writer>
) => {
  const table = normalizationTable(normalization)
  const valuesPerImage = test.height * test.width * test.channels
  for (const batch of evaluationBatches(test.labels.length, testBatchSize)) {
    const images = new Float32Array(batch.count * valuesPerImage)
    fillEvaluationBatch(test, batch, table, images)
    await write(images)
    await write(test.labels.subarray(batch.start, batch.start + batch.count))
  }
}

export const trainInTorch = async (options: TorchOptions): Promise<Outcome> => {
  const { architecture, dataset, double = false, name, numClasses, stepsMax, training } = options
  const { channels, height, labels, width } = dataset.train
  const classifier = await Effect.runPromise(
    loadClassifier({ architecture, imageChannels: channels, numClasses })
  )
  const weights = toTorch(firstWeightsOf(classifier, training))
  mkdirSync(experimentsFolder, { recursive: true })
  const state = join(experimentsFolder, `${name}.pt`)
  const firstEpoch = stepsMax === undefined ? epochsDone(state) : 0
  const threads = availableParallelism()
  const told = {
    ...architecture,
    numClasses,
    weights: Object.entries(weights).map(([weight, { shape }]) => ({ name: weight, shape })),
    image: [height, width, channels],
    ...training,
    firstEpoch,
    stepsPerEpoch: Math.min(
      stepsMax ?? Number.POSITIVE_INFINITY,
      Math.floor(labels.length / training.batchSize)
    ),
    epochs: stepsMax === undefined ? training.epochs : 1,
    numTest: stepsMax === undefined ? dataset.test.labels.length : 0,
    testBatchSize,
    double,
    state: stepsMax === undefined ? state : null,
    threads
  }
  const python = spawn(peerPython(), [join(import.meta.dirname, "torch_side.py"), JSON.stringify(told)], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const answer = createInterface({ input: python.stdout })
  let last = ""
  answer.on("line", (line) => {
    last = line
  })
  const ended = new Promise<void>((resolve, reject) => {
    python.on("close", (code) => {
      if (code === 0) resolve()
      else reject(new Error(`PyTorch ended with ${code}`))
    })
  })
  const write = writer(python.stdin)
  const feed = async () => {
    for (const { values } of Object.values(weights)) await write(values)
    await feedSteps(options, firstEpoch, write)
    if (stepsMax === undefined) await feedTest(options, write)
    python.stdin.end()
  }
  // A pipe that breaks says less than why Python ended.
  python.stdin.on("error", () => undefined)
  const feeding = feed().catch(async (broken) => {
    await ended
    throw broken
  })
  await Promise.all([feeding, ended])
  const { epochLosses, epochTop1, loss, stepLosses, top1, version } = Schema.decodeUnknownSync(Told)(
    JSON.parse(last)
  )
  const curves = { "training loss": epochLosses, "training top-1": epochTop1 }
  return {
    figures: top1 === null || loss === null ? {} : { top1, loss },
    curves: stepsMax === undefined ? curves : { "loss by step": stepLosses },
    numerics: { library: `PyTorch ${version}`, threads, precision: double ? "float64" : training.precision }
  }
}
