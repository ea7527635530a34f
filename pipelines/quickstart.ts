/**
 * The whole chain at toy size, in minutes on any machine: `scenes` are rendered, so nothing is downloaded.
 *
 *   npm start        (or: npx distillery run quickstart)
 *
 * Expected: the teacher gets about 0.88 of the test images right, its student about as many at a quarter of
 * the MACs.
 */
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { Distill } from "../stages/distill.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Ingest } from "../stages/ingest.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain } from "../stages/pretrain.ts"
import { WriteReport } from "../stages/report.ts"

const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 32, numTrain: 3000, numTest: 500 } },
  inputs: {}
})

const prepared = Preprocess({
  params: { height: 32, width: 32, channels: 3, validation: 0.1 },
  inputs: { dataset: scenes }
})

/** float32, so that it runs on every backend. */
const training = {
  epochs: 8,
  batchSize: 64,
  learningRate: 0.1,
  warmupEpochs: 1,
  weightDecay: 5e-4,
  augment: { pad: 2, flip: true },
  precision: "float32"
} as const
const small = { family: "resnet-cifar", depth: 8, width: 8, shortcut: "B" } as const

const teacher = Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 16, shortcut: "B" },
    training: { ...training, seed: 0 }
  },
  inputs: { dataset: prepared }
})

const student = Distill({
  params: { architecture: small, training: { ...training, seed: 1 }, temperature: 4 },
  inputs: { dataset: prepared, teacher }
})

const evaluate = (model: typeof teacher) => Evaluate({ params: {}, inputs: { model, dataset: prepared } })
const evaluations = { teacher: evaluate(teacher), student: evaluate(student) }

const report = WriteReport({
  params: { title: "Quickstart: a teacher and its student on rendered scenes" },
  inputs: { evaluations, models: { teacher, student }, dataset: prepared }
})

export const pipeline = Pipeline.make(
  "quickstart",
  "The whole chain on rendered scenes, in minutes on any machine, nothing downloaded",
  {
    scenes,
    prepared,
    teacher,
    student,
    "evaluate-teacher": evaluations.teacher,
    "evaluate-student": evaluations.student,
    report
  }
)
