/** What the steps of an epoch add up to. */
import { Schema } from "effect"
import type { Share } from "./Task.ts"

/** Sums over the steps of the epoch under way, by measure (`loss`, and those of the task). */
export const EpochSums = Schema.Record(
  Schema.String,
  Schema.Struct({ total: Schema.Number, weight: Schema.Number })
)
export type EpochSums = typeof EpochSums.Type

export const noSums: EpochSums = {}

export const added = (sums: EpochSums, shares: Readonly<Record<string, Share>>): EpochSums => ({
  ...sums,
  ...Object.fromEntries(
    Object.entries(shares).map(([name, { total, weight }]) => {
      const sofar = sums[name] ?? { total: 0, weight: 0 }
      return [name, { total: sofar.total + total, weight: sofar.weight + weight }]
    })
  )
})

/** The name of the sum that counts skipped steps; no measure of a task is called so. */
const SKIPPED = "skipped steps"

export const withUpdate = (sums: EpochSums, isSkipped: boolean): EpochSums =>
  added(sums, { [SKIPPED]: { total: isSkipped ? 1 : 0, weight: 1 } })

/** Steps that changed no weight. */
export const skippedSteps = (sums: EpochSums): number => sums[SKIPPED]?.total ?? 0

/** Of the measures; one that nothing fell to (no labelled pixel in an epoch) is left out. */
export const means = (sums: EpochSums): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(sums).flatMap(([name, { total, weight }]) =>
      weight > 0 && name !== SKIPPED ? [[name, total / weight]] : []
    )
  )
