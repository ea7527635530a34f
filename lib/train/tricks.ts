/** The tricks of He et al. 2018 (arXiv 1812.01187), each as what it changes about a student's training. */
import type { Architecture } from "../models/Architecture.ts"
import type { DistillationParams } from "./DistillationParams.ts"
import type { LrSchedule, TrainingParams } from "./TrainingParams.ts"

/** In the order of the paper's tables 4, 5 and 6. */
export const trickNames = [
  "warmup",
  "zero-gamma",
  "no-bias-decay",
  "bf16",
  "resnet-b",
  "resnet-c",
  "resnet-d",
  "cosine",
  "label-smoothing",
  "distill",
  "mixup"
] as const
export type TrickName = (typeof trickNames)[number]

/** All that decides how a student is trained, but for its data and its teacher. */
export interface Recipe {
  readonly architecture: Architecture
  readonly training: TrainingParams
  /** How it listens to its teacher; `null`: it learns from labels alone. */
  readonly distillation: DistillationParams | null
}

/** What a trick may act on. */
export interface Circumstances {
  /** The smaller side of the images, in pixels; `undefined` where nobody knows. */
  readonly imageSize: number | undefined
  readonly hasTeacher: boolean
}

export interface Trick {
  /** As it stands in tables. */
  readonly title: string
  /** The paper's, where it is measured. */
  readonly table: 4 | 5 | 6
  /** Why it has nothing to act on, and what to do; `undefined`: it can be measured. */
  readonly refusal?: (recipe: Recipe, circumstances: Circumstances) => string | undefined
  readonly without: (recipe: Recipe) => Recipe
  /** With the values that the pipeline itself has, where it has the trick on; else with the paper's. */
  readonly with: (recipe: Recipe, own: Recipe) => Recipe
}

const training = (recipe: Recipe, changes: Partial<TrainingParams>): Recipe => ({
  ...recipe,
  training: { ...recipe.training, ...changes }
})

/** The paper warms up for 5 of 120 epochs. */
const paperWarmup = (epochs: number): number => Math.max(1, Math.round((epochs * 5) / 120))

/** The paper divides by 10 after 30, 60 and 90 of 120 epochs. */
const paperSteps = (epochs: number): LrSchedule => ({
  kind: "step",
  milestones: [...new Set([1, 2, 3].map((quarter) => Math.floor((epochs * quarter) / 4)))].filter(
    (milestone) => milestone > 0
  ),
  factor: 0.1
})

/** The paper's ε. */
const paperSmoothing = 0.1

/** The paper's α, of Beta(α, α). */
const paperMixup = 0.2

const hasBottlenecks = (architecture: Architecture): boolean =>
  architecture.family === "resnet" && architecture.depth >= 50

/** Smaller images leave a stem of stride 4 too little to look at. */
const stemPixelsMin = 64

type Variant = "B" | "C" | "D"

const variantRefusal =
  (variant: Variant) =>
  ({ architecture }: Recipe, { imageSize }: Circumstances): string | undefined => {
    const advice =
      "take a student of the family resnet, depth 50, on images of 64 pixels or more, or leave it out"
    if (architecture.family !== "resnet") {
      return `the student is a ${architecture.family}, which has no such variants: ${advice}`
    }
    if (imageSize !== undefined && imageSize < stemPixelsMin) {
      return `images of ${imageSize} pixels are too small for the 7x7 stem: ${advice}`
    }
    if (variant === "B" && !hasBottlenecks(architecture)) {
      return `a ResNet of depth ${architecture.depth} has no bottlenecks, so A and B are one: ${advice}`
    }
    return undefined
  }

/** Without, a network with bottlenecks is the original one, any other the plain one. */
const withVariant = (recipe: Recipe, variant: "A" | Variant): Recipe =>
  recipe.architecture.family === "resnet"
    ? { ...recipe, architecture: { ...recipe.architecture, variant } }
    : recipe

const resnet = (variant: Variant): Trick => ({
  title: `ResNet-${variant}`,
  table: 5,
  refusal: variantRefusal(variant),
  without: (recipe) => withVariant(recipe, hasBottlenecks(recipe.architecture) ? "A" : "B"),
  with: (recipe) => withVariant(recipe, variant)
})

const residualFamilies: ReadonlyArray<Architecture["family"]> = ["resnet", "resnet-cifar"]

export const tricks: { readonly [N in TrickName]: Trick } = {
  warmup: {
    title: "LR warm-up",
    table: 4,
    without: (recipe) => training(recipe, { warmupEpochs: 0 }),
    with: (recipe, { training: { epochs, warmupEpochs } }) =>
      training(recipe, { warmupEpochs: warmupEpochs > 0 ? warmupEpochs : paperWarmup(epochs) })
  },
  "zero-gamma": {
    title: "zero γ",
    table: 4,
    refusal: ({ architecture: { family } }) =>
      residualFamilies.includes(family)
        ? undefined
        : `the student is a ${family}, which has no residual blocks: leave it out`,
    without: (recipe) => training(recipe, { zeroGamma: false }),
    with: (recipe) => training(recipe, { zeroGamma: true })
  },
  "no-bias-decay": {
    title: "no bias decay",
    table: 4,
    without: (recipe) => training(recipe, { weightDecayOn: "all" }),
    with: (recipe) => training(recipe, { weightDecayOn: "kernels" })
  },
  bf16: {
    title: "bfloat16",
    table: 4,
    without: (recipe) => training(recipe, { precision: "float32" }),
    with: (recipe) => training(recipe, { precision: "bfloat16" })
  },
  "resnet-b": resnet("B"),
  "resnet-c": resnet("C"),
  "resnet-d": resnet("D"),
  cosine: {
    title: "cosine decay",
    table: 6,
    without: (recipe) => {
      const { epochs, lrSchedule } = recipe.training
      return lrSchedule.kind === "cosine" ? training(recipe, { lrSchedule: paperSteps(epochs) }) : recipe
    },
    with: (recipe) => training(recipe, { lrSchedule: { kind: "cosine" } })
  },
  "label-smoothing": {
    title: "label smoothing",
    table: 6,
    without: (recipe) => training(recipe, { labelSmoothing: 0 }),
    with: (recipe, own) => training(recipe, { labelSmoothing: own.training.labelSmoothing || paperSmoothing })
  },
  distill: {
    title: "distillation",
    table: 6,
    refusal: (_, { hasTeacher }) =>
      hasTeacher
        ? undefined
        : "there is no teacher: name a classifier of the pipeline, --teacher JOB, or leave it out",
    without: (recipe) => ({ ...recipe, distillation: null }),
    with: (recipe, { distillation }) => ({
      ...recipe,
      distillation: distillation ?? { temperature: 20, combination: { form: "sum" } }
    })
  },
  mixup: {
    title: "mixup",
    table: 6,
    without: (recipe) => training(recipe, { mixup: 0 }),
    with: (recipe, own) => training(recipe, { mixup: own.training.mixup || paperMixup })
  }
}

/** The recipe with no trick at all. */
export const plainRecipe = (recipe: Recipe): Recipe =>
  trickNames.reduce((sofar, name) => tricks[name].without(sofar), recipe)
