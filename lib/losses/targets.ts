/** From labels to targets: what the data say, turned into what the loss compares with. */

/**
 * Label smoothing by ε over K classes:
 * - `paper` (He et al. 2018, §5.2): 1 - ε at the label, ε / (K - 1) elsewhere
 * - `szegedy` (Szegedy et al. 2016; GluonCV): 1 - ε + ε / K at the label, ε / K elsewhere
 */
export type LabelSmoothingForm = "paper" | "szegedy"

export interface LabelSmoothing {
  /** ε, 0…1; 0: 1 at the label and 0 elsewhere. */
  readonly labelSmoothing: number
  /** "paper" if not said. */
  readonly labelSmoothingForm?: LabelSmoothingForm | undefined
}

/** Writes one row per label into `targets` `[N, K]`. */
export const writeTargets = (
  targets: Float32Array,
  labels: ArrayLike<number>,
  numClasses: number,
  { labelSmoothing, labelSmoothingForm = "paper" }: LabelSmoothing
): void => {
  const isPaper = labelSmoothingForm === "paper"
  const elsewhere = labelSmoothing / (isPaper ? numClasses - 1 : numClasses)
  const atLabel = 1 - labelSmoothing + (isPaper ? 0 : elsewhere)
  targets.fill(elsewhere)
  for (let example = 0; example < labels.length; example++) {
    targets[example * numClasses + labels[example]!] = atLabel
  }
}
