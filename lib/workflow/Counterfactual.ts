/** What a job that misses would have to be like to be a hit: which earlier results are near, by how much. */
import { type Change, changesSince, type JobDescription } from "./Explain.ts"
import type { Manifest } from "./Manifest.ts"

/** An earlier result, and how a job differs from what it was made from. */
export interface Comparison {
  readonly manifest: Manifest
  readonly changes: ReadonlyArray<Change>
}

/** The nearest first; the latest first among those equally near, `recent` being in order. */
export const comparisons = (
  job: JobDescription,
  recent: ReadonlyArray<Manifest>
): ReadonlyArray<Comparison> =>
  recent
    .map((manifest) => ({ manifest, changes: changesSince(manifest, job) }))
    .sort((a, b) => a.changes.length - b.changes.length)

/** What a person can turn back: a param, code, a package. Another input is another job's matter. */
const isOwn = ({ kind }: Change): boolean => kind !== "stage" && kind !== "input"

const idOf = ({ kind, path }: Change): string => `${kind} ${path}`

/**
 * Those results that the job would find if its own changes, or some of them, were turned back: of the same
 * inputs, nearest first, none that asks for more than another one does.
 */
export const counterfactuals = (compared: ReadonlyArray<Comparison>): ReadonlyArray<Comparison> => {
  const found: Array<Comparison> = []
  for (const one of compared) {
    if (one.changes.length === 0 || !one.changes.every(isOwn)) continue
    const ids = new Set(one.changes.map(idOf))
    const asksForMore = found.some(({ changes }) => changes.every((change) => ids.has(idOf(change))))
    if (!asksForMore) found.push(one)
  }
  return found
}

const turnedBack = ({ before, kind, path }: Change): string => {
  if (kind === "param") return before === undefined ? `no ${path}` : `${path} = ${before}`
  if (kind === "package")
    return before === undefined ? `no package ${path}` : `package ${path} ${before.split(" ")[0]}`
  return before === undefined ? `no ${path}` : `${path} as it was`
}

const numShown = 3

/** `training.epochs = 10 and lib/x.ts as it was` */
export const turnedBackText = ({ changes }: Comparison): string => {
  const parts = changes.slice(0, numShown).map(turnedBack)
  const rest = changes.length - parts.length
  const all = rest === 0 ? parts : [...parts, `${rest} more turned back`]
  return all.length === 1 ? all[0]! : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`
}
