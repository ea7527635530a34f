/**
 * What the records of the experiments come to: a table each for people, and the curves of all seeds in one
 * picture, `results/<experiment>.svg`. Run by `npm run experiment -- summary`.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { trainingCurves } from "../../lib/charts/training-curves.ts"
import { pairedDifference, spreadOf } from "../../lib/metrics/repeated-measures.ts"
import { type Experiment, experiments } from "./Experiment.ts"
import { type ExperimentRecord, readRecords } from "./ExperimentRecord.ts"

const points = (fraction: number): string => (100 * fraction).toFixed(2)

/** Of the report's page, in its light form. */
const colours = ["#2563c9", "#d9621e", "#178a63", "#9a3fb5", "#b58900", "#c2334d"]

const meanLine = (variant: string, values: ReadonlyArray<number>): string => {
  const { mean, sd } = spreadOf(values)
  return `| ${variant} | ${values.length} | ${points(mean)}${sd === null ? "" : ` ± ${points(sd)}`} |`
}

/** Seeds that both have done. */
const paired = (
  first: ReadonlyArray<ExperimentRecord>,
  second: ReadonlyArray<ExperimentRecord>,
  figure: string
) =>
  first.flatMap((one) => {
    const other = second.find(({ seed }) => seed === one.seed)
    return other === undefined ? [] : [[one.figures[figure]!, other.figures[figure]!] as const]
  })

const verdictOf = ([low, high]: readonly [number, number], within: number | undefined): string => {
  if (within !== undefined) {
    const isWithin = low >= -within && high <= within
    return `${isWithin ? "lies" : "does not lie"} within ± ${points(within)}`
  }
  return low > 0 ? "better" : high < 0 ? "worse" : "no effect shown"
}

const differenceLine = (
  { figure, within }: Experiment,
  variant: string,
  before: string,
  pairs: ReturnType<typeof paired>
): string => {
  const [values, others] = [pairs.map(([value]) => value), pairs.map(([, value]) => value)]
  const { interval, mean } = pairedDifference(values, others)
  const words =
    interval === null
      ? "one pair: no interval"
      : `[${points(interval[0])}, ${points(interval[1])}], ${verdictOf(interval, within)}`
  const what = `${variant} - ${before}, ${figure}, ${pairs.length} pairs`
  return `${what}: ${points(mean)} points, 95 %: ${words}`
}

const figuresOf = (experiment: Experiment, records: ReadonlyArray<ExperimentRecord>) => {
  const of = (variant: string) => records.filter((record) => record.variant === variant)
  const [first = "", ...others] = experiment.variants
  const means = experiment.variants.flatMap((variant) => {
    const values = of(variant).map(({ figures }) => figures[experiment.figure]!)
    return values.length === 0 ? [] : [meanLine(variant, values)]
  })
  const differences = others.flatMap((variant) => {
    const before = experiment.comparedWith?.[variant] ?? first
    const pairs = paired(of(before), of(variant), experiment.figure)
    return pairs.length === 0 ? [] : [differenceLine(experiment, variant, before, pairs)]
  })
  const head = [`| variant | seeds | ${experiment.figure}, % |`, "|---|---|---|"]
  return [...head, ...means, "", ...differences]
}

/** Largest difference from the first variant's curve, up to some steps. */
const curveLines = ({ figure, variants }: Experiment, records: ReadonlyArray<ExperimentRecord>) => {
  const curveOf = (variant: string) => records.find((one) => one.variant === variant)?.curves[figure]
  const reference = curveOf(variants[0]!)
  return variants.slice(1).flatMap((variant) => {
    const curve = curveOf(variant)
    if (reference === undefined || curve === undefined) return []
    const apart = curve.map((value, step) => Math.abs(value - reference[step]!))
    const upTo = [1, 10, 25, 50].map(
      (steps) => `${Math.max(...apart.slice(0, steps)).toExponential(1)} up to step ${steps}`
    )
    return [`${variant} - ${variants[0]}, ${figure}, at most ${upTo.join(", ")}`]
  })
}

const writeCurves = (
  { figure, name, variants }: Experiment,
  records: ReadonlyArray<ExperimentRecord>
): void => {
  const curves = records.flatMap(({ curves, variant }) => {
    const values = curves["training loss"] ?? curves[figure]
    const colour = variants.indexOf(variant)
    return values === undefined ? [] : [{ colour, dashed: colour === 0, values }]
  })
  const svg = trainingCurves(name, curves)
  const coloured = colours.reduce((text, colour, at) => text.replaceAll(`var(--series-${at})`, colour), svg)
  const page = coloured.replaceAll("var(--muted)", "#5d6878").replaceAll("var(--line)", "#e1e5ea")
  const named = page.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
  writeFileSync(join(import.meta.dirname, "results", `${name}.svg`), named)
}

for (const load of Object.values(experiments)) {
  const { experiment } = await load()
  const records = readRecords(experiment.name)
  if (records.length === 0) continue
  const isCurve = records.some(({ curves }) => experiment.figure in curves)
  const lines = isCurve ? curveLines(experiment, records) : figuresOf(experiment, records)
  console.log([`## ${experiment.name}`, "", experiment.question, "", ...lines, ""].join("\n"))
  writeCurves(experiment, records)
}
