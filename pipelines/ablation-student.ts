/** Which training of a pipeline an ablation takes apart, and who may teach it. */
import { Schema } from "effect"
import type { Circumstances, Recipe } from "../lib/train/tricks.ts"
import type { ArtifactRef } from "../lib/workflow/Artifact.ts"
import type { Pipeline, PipelineJob } from "../lib/workflow/Pipeline.ts"
import { DefinitionError } from "../lib/workflow/Stage.ts"
import { suggestion } from "../lib/workflow/suggestions.ts"
import { Classifier, type ClassifierValue, type PreparedDatasetValue } from "../stages/artifacts.ts"
import { Distill, DistillParams } from "../stages/distill.ts"
import { Evaluate, type EvaluateParams } from "../stages/evaluate.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain, PretrainParams } from "../stages/pretrain.ts"

export interface StudentChoice {
  /** The job whose training is taken apart, where the pipeline leaves a choice. */
  readonly student?: string | undefined
  /** The job of the classifier that teaches, where it is not the student's own. */
  readonly teacher?: string | undefined
}

export type ClassifierRef = ArtifactRef<ClassifierValue>
export type DatasetRef = ArtifactRef<PreparedDatasetValue<"classification">>

export interface Student {
  readonly recipe: Recipe
  readonly dataset: DatasetRef
  readonly teacher: ClassifierRef | undefined
  readonly evaluation: Evaluation
}

/** How it is scored: as the pipeline does it, if it does. */
interface Evaluation {
  readonly params: typeof EvaluateParams.Encoded
  readonly dataset: DatasetRef
}

export const refusal = (pipeline: Pipeline, message: string): DefinitionError =>
  new DefinitionError({ where: `the ablation of "${pipeline.name}"`, message })

const jobNamed = (pipeline: Pipeline, flag: string, name: string): PipelineJob => {
  const found = pipeline.jobs.find((job) => job.name === name)
  if (found !== undefined) return found
  const known = pipeline.jobs.map((job) => job.name)
  throw refusal(pipeline, `${flag}: there is no job "${name}": ${suggestion(name, known)}`)
}

/** What its student is, if nobody says: what is distilled, else what is trained on labels. */
const studentJob = (pipeline: Pipeline, name: string | undefined): PipelineJob => {
  const trainedBy = (stage: string) => pipeline.jobs.filter(({ ref }) => ref.stage.stageName === stage)
  const [distilled, pretrained] = [trainedBy(Distill.stageName), trainedBy(Pretrain.stageName)]
  const candidates = distilled.length > 0 ? distilled : pretrained
  if (candidates.length === 0) {
    const stages = pipeline.jobs.map(({ ref }) => ref.stage.stageName)
    throw refusal(
      pipeline,
      "there is no training to take apart: it takes a classifier that a stage pretrain or distill trains; " +
        `the pipeline has ${[...new Set(stages)].join(", ")}`
    )
  }
  if (name !== undefined) {
    const job = jobNamed(pipeline, "--student", name)
    if ([...distilled, ...pretrained].includes(job)) return job
    const known = [...distilled, ...pretrained].map((one) => one.name).join(", ")
    throw refusal(pipeline, `--student: "${name}" is no training of a classifier: take one of ${known}`)
  }
  if (candidates.length === 1) return candidates[0]!
  const names = candidates.map((job) => job.name).join(", ")
  throw refusal(pipeline, `which training is meant? Say --student with one of ${names}`)
}

const teacherNamed = (pipeline: Pipeline, name: string): ClassifierRef => {
  const { ref } = jobNamed(pipeline, "--teacher", name)
  if (ref.type.name === Classifier.name) return ref as ClassifierRef
  throw refusal(pipeline, `--teacher: "${name}" makes a ${ref.type.name}, not a ${Classifier.name}`)
}

const decodeDistill = Schema.decodeUnknownSync(DistillParams)
const decodePretrain = Schema.decodeUnknownSync(PretrainParams)

/** The first of the student's evaluations that the pipeline has. */
const evaluationOf = ({ jobs }: Pipeline, student: ClassifierRef, dataset: DatasetRef): Evaluation => {
  const found = jobs.find(
    ({ ref: { inputs, stage } }) => stage.stageName === Evaluate.stageName && inputs.model === student
  )?.ref
  return found === undefined
    ? { params: {}, dataset }
    : { params: found.params, dataset: found.inputs.dataset as DatasetRef }
}

/** Throws `DefinitionError` where there is none, or several. */
export const studentOf = (pipeline: Pipeline, options: StudentChoice): Student => {
  const { ref } = studentJob(pipeline, options.student)
  const dataset = ref.inputs.dataset as DatasetRef
  const evaluation = evaluationOf(pipeline, ref as ClassifierRef, dataset)
  const named = options.teacher === undefined ? undefined : teacherNamed(pipeline, options.teacher)
  if (ref.stage.stageName === Distill.stageName) {
    const { architecture, training, ...distillation } = decodeDistill(ref.params)
    const teacher = named ?? (ref.inputs.teacher as ClassifierRef)
    return { recipe: { architecture, training, distillation }, dataset, teacher, evaluation }
  }
  const recipe = { ...decodePretrain(ref.params), distillation: null }
  return { recipe, dataset, teacher: named, evaluation }
}

export const circumstancesOf = ({ dataset, teacher }: Student): Circumstances => {
  const { height, width } = dataset.params
  const isKnown = dataset.stage.stageName === Preprocess.stageName
  return {
    imageSize: isKnown ? Math.min(Number(height), Number(width)) : undefined,
    hasTeacher: teacher !== undefined
  }
}
