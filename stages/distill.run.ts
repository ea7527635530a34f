/** The body of `distill`. */
import { Effect, Schema } from "effect"
import { decodeLabelledImages } from "../lib/data/labelled-images.ts"
import { loadClassifier } from "../lib/models/Classifier.ts"
import { decodeWeights } from "../lib/models/weights.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { fitClassifier } from "../lib/train/fit-classifier.ts"
import { distillationTask } from "../lib/train/tasks/distillation.ts"
import { makeVariables } from "../lib/train/variables.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { ClassifierValue } from "./artifacts.ts"
import type { DistillParams, distillInputs } from "./distill.ts"
import { trainedWeights } from "./trained-weights.ts"

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

export const run = Effect.fn("distill")(function* (args: {
  readonly params: typeof DistillParams.Type
  readonly inputs: Inputs
}) {
  const { training, ...acting } = args.params
  const { architecture, combination, temperature } = acting
  const { dataset, teacher } = args.inputs
  const { classes, preprocessing } = dataset
  yield* checkTeacher(args.inputs)
  const blobs = yield* BlobStore
  const size = { imageChannels: preprocessing.channels, numClasses: classes.length }
  const student = yield* loadClassifier({ architecture, ...size })
  const master = yield* loadClassifier({ architecture: teacher.architecture, ...size })
  const teacherWeights = yield* Effect.flatMap(blobs.get(teacher.weights), (bytes) =>
    decodeWeights(bytes, master.weights)
  )
  const result = yield* fitClassifier({
    classifier: student,
    task: distillationTask({
      student,
      teacher: master,
      teacherWeights: yield* makeVariables(teacherWeights),
      temperature,
      combination,
      learning: training
    }),
    params: training,
    acting,
    dataset: yield* Effect.flatMap(blobs.get(dataset.train.tensors), decodeLabelledImages),
    validation:
      dataset.validation === null
        ? undefined
        : yield* Effect.flatMap(blobs.get(dataset.validation.tensors), decodeLabelledImages),
    normalization: preprocessing,
    inputSize: preprocessing,
    host: yield* JobContext
  })
  return {
    _tag: "Classifier" as const,
    architecture,
    classes,
    preprocessing,
    ...(yield* trainedWeights(result)),
    numParams: student.parameters,
    macs: student.macs(preprocessing.height, preprocessing.width)
  } satisfies ClassifierValue
}, Effect.scoped)
