/** The body of `distill`. */
import { Effect, Schema } from "effect"
import type { LabelledImages } from "../lib/data/batches.ts"
import { openSplit } from "../lib/data/open-split.ts"
import type { ShardedImages } from "../lib/data/ShardedImages.ts"
import { type Classifier, loadClassifier } from "../lib/models/Classifier.ts"
import { decodeWeights } from "../lib/models/weights.ts"
import type { Weights } from "../lib/nn/Weights.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { usualTeacherMargin } from "../lib/train/DistillationParams.ts"
import { fitClassifier } from "../lib/train/fit-classifier.ts"
import { distillationTask } from "../lib/train/tasks/distillation.ts"
import { checkTeacherScore, scoringSample } from "../lib/train/teacher-score.ts"
import { withTeacherShare } from "../lib/train/teacher-share.ts"
import { makeVariables } from "../lib/train/variables.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { ClassifierValue } from "./artifacts.ts"
import type { DistillParams, distillInputs } from "./distill.ts"
import { trainedWeights, trainingScore } from "./trained-weights.ts"

/** The teacher was trained for something else than this student: its answers would mean nothing. */
export class TeacherMismatch extends Schema.TaggedError<TeacherMismatch>()("TeacherMismatch", {
  field: Schema.String,
  teacher: Schema.String,
  dataset: Schema.String
}) {
  override get message() {
    return (
      `The teacher's ${this.field} is ${this.teacher}, the dataset's is ${this.dataset}. ` +
      "Train the teacher on the same prepared dataset as the student, or prepare it as an imported one wants."
    )
  }
}

type Inputs = ValuesOf<typeof distillInputs>

/**
 * Classes in the same order, images of the same size and normalisation; else fails with `TeacherMismatch`.
 */
const checkTeacher = Effect.fnUntraced(function* ({ dataset, teacher }: Inputs) {
  const facts = ({ classes, preprocessing }: Inputs["teacher"] | Inputs["dataset"]) => ({
    classes,
    ...preprocessing
  })
  const own = facts(teacher)
  for (const [field, value] of Object.entries(facts(dataset))) {
    const [there, here] = [JSON.stringify(own[field as keyof typeof own]), JSON.stringify(value)]
    if (there !== here) return yield* new TeacherMismatch({ field, teacher: there, dataset: here })
  }
})

/**
 * The teacher is evaluated as its student's validation would be, before anything is trained. Scores are
 * compared on splits of one kind: what one finds of images it has learnt by heart says nothing of others.
 */
const checkScore = Effect.fnUntraced(function* (options: {
  readonly params: typeof DistillParams.Type
  readonly inputs: Inputs
  readonly teacher: Classifier
  readonly weights: Weights
  readonly train: LabelledImages | ShardedImages
  readonly validation: LabelledImages | ShardedImages | undefined
}) {
  const { history, trainingScore } = options.inputs.teacher
  const { preprocessing } = options.inputs.dataset
  const { teacherMargin: margin = usualTeacherMargin, teacherTop1 } = options.params
  const { teacher, train, validation, weights } = options
  const known = validation === undefined ? trainingScore?.top1 : history.at(-1)?.validation.top1
  const recorded = teacherTop1 ?? known
  const split = validation === undefined ? ("training" as const) : ("validation" as const)
  const { numExamples, top1 } = yield* checkTeacherScore({
    ...{ classifier: teacher, weights, dataset: validation ?? (yield* scoringSample(train)) },
    ...{ normalization: preprocessing, inputSize: preprocessing, split, recorded, margin }
  })
  const expected =
    recorded === undefined ? "no score of its own is known" : `recorded: ${recorded.toFixed(3)}`
  yield* (yield* JobContext).note(
    `the teacher's top-1 on ${numExamples} ${split} images: ${top1.toFixed(3)} (${expected})`
  )
})

export const run = Effect.fn("distill")(function* (args: {
  readonly params: typeof DistillParams.Type
  readonly inputs: Inputs
}) {
  const { teacherMargin: _, teacherTop1: __, training, ...acting } = args.params
  const { architecture, combination, temperature } = acting
  const { dataset, teacher } = args.inputs
  const { classes, preprocessing } = dataset
  yield* checkTeacher(args.inputs)
  const blobs = yield* BlobStore
  const size = { imageChannels: preprocessing.channels, numClasses: classes.length }
  const student = yield* loadClassifier({ architecture, ...size })
  const master = yield* loadClassifier({ architecture: teacher.architecture, ...size })
  const weights = yield* Effect.flatMap(blobs.get(teacher.weights), (bytes) =>
    decodeWeights(bytes, master.weights)
  )
  const train = yield* openSplit(dataset.train)
  const validation = dataset.validation === null ? undefined : yield* openSplit(dataset.validation)
  yield* checkScore({ ...args, teacher: master, weights, train, validation })
  const teacherWeights = yield* makeVariables(weights)
  const result = yield* fitClassifier({
    classifier: student,
    task: distillationTask({
      ...{ student, teacher: master, teacherWeights, temperature, combination, learning: training }
    }),
    params: training,
    acting,
    dataset: train,
    validation,
    normalization: preprocessing,
    inputSize: preprocessing,
    feeding: withTeacherShare(combination.form === "decoupled" ? (combination.warmupEpochs ?? 0) : 0),
    host: yield* JobContext
  })
  const outcome = yield* trainedWeights(result)
  return {
    _tag: "Classifier" as const,
    architecture,
    classes,
    preprocessing,
    ...outcome,
    ...(yield* trainingScore({ classifier: student, weights: outcome.weights, dataset, train })),
    numParams: student.parameters,
    macs: student.macs(preprocessing.height, preprocessing.width)
  } satisfies ClassifierValue
}, Effect.scoped)
