/** A question that takes several trainings to answer, cut into seeds. */
import type { RowChoice } from "../../lib/charts/AblationDocument.ts"
import type { ExperimentRecord } from "./ExperimentRecord.ts"

export type Outcome = Pick<ExperimentRecord, "curves" | "figures" | "numerics">

export interface Experiment {
  readonly name: string
  readonly question: string
  /** The first is what the others are compared with. */
  readonly variants: ReadonlyArray<string>
  /** What a variant is compared with, where that is not the first; `null`: with none. */
  readonly comparedWith?: { readonly [variant: string]: string | null }
  /** Of an ablation: the variants as rows of its table. */
  readonly rows?: ReadonlyArray<RowChoice>
  readonly seeds: ReadonlyArray<number>
  /** The figure that is compared. */
  readonly figure: string
  /** Bound on the mean difference's size, if one is to be shown. */
  readonly within?: number
  /** Goes on where an earlier call was cut off. */
  readonly run: (variant: string, seed: number) => Promise<Outcome>
}

export const experiments: { readonly [name: string]: () => Promise<{ readonly experiment: Experiment }> } = {
  "first-steps": () => import("./first-steps.ts"),
  "cifar10-jpg": () => import("./cifar10-jpg.ts"),
  distillation: () => import("./distillation.ts"),
  ablation: () => import("./ablation.ts"),
  "ablation-variants": () => import("./ablation-variants.ts")
}
