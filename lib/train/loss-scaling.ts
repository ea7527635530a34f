/**
 * Loss scaling (Micikevicius et al. 2018, "Mixed Precision Training", arXiv 1710.03740 §3.2). In float16,
 * gradients vanish below 6e-8: the loss is multiplied by a scale before they are taken, and they are divided
 * by it afterwards. Where one of them overflows, the step is skipped: it changes nothing but the scale, and
 * not even that where the scale is static.
 */
import { Effect, Schema, type Scope } from "effect"
import { type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import { tf } from "../tensor/tf.ts"
import type { Gradients } from "./optimizers/gradient-norm.ts"
import type { OptimizationParams } from "./TrainingParams.ts"

/** Part of where training is. */
export const LossScale = Schema.Struct({
  /** A power of two, so that scaling rounds nothing. */
  scale: Schema.Number,
  /** Steps since the scale changed or a gradient overflowed. */
  goodSteps: Schema.Int
})
export type LossScale = typeof LossScale.Type

export const firstLossScale: LossScale = { scale: 2 ** 15, goodSteps: 0 }

/** So many good steps double the scale; one that overflows halves it. */
const GOOD_STEPS = 2000

const LARGEST = 2 ** 24

/** The scale to begin with; `undefined` where losses are not scaled. */
export const firstLossScaleOf = ({
  lossScale = "dynamic",
  precision
}: Pick<OptimizationParams, "lossScale" | "precision">): LossScale | undefined => {
  if (lossScale !== "dynamic") return { scale: lossScale, goodSteps: 0 }
  return precision === "float16" ? firstLossScale : undefined
}

/** The same as variables, so that it moves within the step. */
export interface LossScaling {
  readonly scale: tf.Variable
  readonly goodSteps: tf.Variable
  readonly isDynamic: boolean
}

export const makeLossScaling = (
  { goodSteps, scale }: LossScale,
  isDynamic: boolean
): Effect.Effect<LossScaling, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      tf.tidy(() => ({
        scale: tf.variable(tf.scalar(scale)),
        goodSteps: tf.variable(tf.scalar(goodSteps)),
        isDynamic
      }))
    ),
    (scaling) => Effect.sync(() => tf.dispose([scaling.scale, scaling.goodSteps]))
  )

export const readLossScaling = Effect.fn("readLossScaling")(function* (
  scaling: LossScaling
): Effect.fn.Return<LossScale, TensorError, TensorRuntime> {
  const runtime = yield* TensorRuntime
  const [scale, goodSteps] = yield* runtime.read([scaling.scale, scaling.goodSteps])
  return { scale: scale![0]!, goodSteps: goodSteps![0]! }
})

/**
 * What `assign` assigns to `variables` holds only where all gradients are finite; gives back whether they
 * are.
 */
export const assignIfFinite = (
  gradients: Gradients,
  variables: ReadonlyArray<tf.Variable>,
  assign: () => void
): tf.Tensor => {
  const finite = tf.all(tf.stack(Object.values(gradients).map((gradient) => tf.all(tf.isFinite(gradient)))))
  const before = variables.map((variable) => tf.clone(variable))
  assign()
  variables.forEach((variable, index) => {
    const old = before[index]!
    if (variable.dataId !== old.dataId) variable.assign(tf.where(finite, variable, old))
  })
  return finite
}

/** After a step whose gradients were finite, or were not; a static scale stays. */
export const moveScale = ({ goodSteps, isDynamic, scale }: LossScaling, finite: tf.Tensor): void => {
  if (!isDynamic) return
  const good = tf.add(goodSteps, 1)
  const grows = tf.greaterEqual(good, GOOD_STEPS)
  const grown = tf.where(grows, tf.minimum(tf.mul(scale, 2), LARGEST), scale)
  scale.assign(tf.where(finite, grown, tf.maximum(tf.div(scale, 2), 1)))
  goodSteps.assign(tf.where(tf.logicalAnd(finite, tf.logicalNot(grows)), good, tf.zerosLike(good)))
}
