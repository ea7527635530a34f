/**
 * What the records of the experiments come to: a table each for people, and the curves of all seeds in one
 * picture, `results/<experiment>.svg`. Run by `npm run experiment -- summary`.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { AblationRow } from "../../lib/charts/AblationDocument.ts"
import { gainsChart, scoresChart } from "../../lib/charts/ablation-charts.ts"
import { comparedRows, type MeasuredRow, sumsOf } from "../../lib/charts/ablation-rows.ts"
import { accuracyText, gainText, intervalText, paperGainText } from "../../lib/charts/ablation-words.ts"
import { paperGainsOf } from "../../lib/charts/paper-tables.ts"
import { trainingCurves } from "../../lib/charts/training-curves.ts"
import { pairedDifference, spreadOf } from "../../lib/metrics/repeated-measures.ts"
import { type Experiment, experiments } from "./Experiment.ts"
import { type ExperimentRecord, readRecords } from "./ExperimentRecord.ts"

const points = (fraction: number): string => (100 * fraction).toFixed(2)

/** Of the report's page, in its light form. */
const colours = ["#2563c9", "#d9621e", "#178a63", "#9a3fb5", "#b58900", "#c2334d"]

const greys = { text: "#1c2430", muted: "#5d6878", line: "#e1e5ea" }

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

/** A chart of a report as a picture that stands alone. */
const writePicture = (name: string, svg: string): void => {
  const coloured = colours.reduce((text, colour, at) => text.replaceAll(`var(--series-${at})`, colour), svg)
  const page = Object.entries(greys).reduce(
    (text, [grey, is]) => text.replaceAll(`var(--${grey})`, is),
    coloured
  )
  const named = page.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
  // Where it is shown on a dark page, its letters are dark all the same.
  const papered = named.replace(">", '><rect width="100%" height="100%" fill="#ffffff"/>')
  writeFileSync(join(import.meta.dirname, "results", `${name}.svg`), papered)
}

/** Rows of an ablation by the seeds that all of them have. */
const measuredRows = (
  rows: NonNullable<Experiment["rows"]>,
  records: ReadonlyArray<ExperimentRecord>
): ReadonlyArray<MeasuredRow> => {
  const recordOf = (name: string, seed: number) =>
    records.find(({ seed: own, variant }) => variant === name && own === seed)
  const seeds = [...new Set(records.map(({ seed }) => seed))]
  const whole = seeds.filter((seed) => rows.every(({ name }) => recordOf(name, seed) !== undefined))
  if (whole.length === 0) return []
  return rows.map((row) => {
    const figures = whole.map((seed) => recordOf(row.name, seed)!.figures)
    const { macs, params } = figures[0]!
    return { row, numParams: params!, macs: macs!, top1: figures.map(({ top1 }) => top1!) }
  })
}

const gainLine = (row: AblationRow): string => {
  const cells =
    row.gain === null ? ["", "", ""] : [gainText(row.gain), intervalText(row.gain), row.gain.verdict]
  const paper = paperGainsOf(row).map((one) => `${one.model} ${paperGainText(one)}`)
  return `| ${[row.title, accuracyText(row), ...cells, paper.join(", ")].join(" | ")} |`
}

/** As README shows them: a table, and pictures, `results/<experiment>-{gains,scores}.svg`. */
const ablationLines = ({ name }: Experiment, measured: ReadonlyArray<MeasuredRow>): ReadonlyArray<string> => {
  const rows = comparedRows(measured)
  writePicture(`${name}-gains`, gainsChart(rows))
  writePicture(`${name}-scores`, scoresChart(rows))
  const sums = sumsOf(rows).map(
    ({ gain, title }) => `| **${title}** | | ${gainText(gain)} | ${intervalText(gain)} | ${gain.verdict} | |`
  )
  const head = ["| row | top-1, % | gain | 95 % | | the paper's gain |", "|---|---|---|---|---|---|"]
  return [...head, ...rows.map(gainLine), ...sums]
}

/** In the corner that falling curves leave free: what is drawn, and whose it is. */
const legend = (what: string, variants: ReadonlyArray<string>): string => {
  const lines = [`${what}, each seed`, ...variants].map((text, line) => {
    const y = 24 + 16 * line
    const [colour, dashes] = [colours[line - 1], line === 1 ? ' stroke-dasharray="5 3"' : ""]
    const mark = `<path d="M270 ${y - 4}h24" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`
    const words = `<text x="${line === 0 ? 270 : 300}" y="${y}" fill="${greys.text}">${text}</text>`
    return line === 0 ? words : `${mark}${words}`
  })
  return `<g font-family="sans-serif" font-size="12">${lines.join("")}</g>`
}

const writeCurves = (
  { figure, name, variants }: Experiment,
  records: ReadonlyArray<ExperimentRecord>
): void => {
  const isLoss = records.every(({ curves }) => curves["training loss"] !== undefined)
  const what = isLoss ? "training loss" : figure
  const curves = records.flatMap(({ curves, variant }) => {
    const values = curves[what]
    const colour = variants.indexOf(variant)
    return values === undefined ? [] : [{ colour, dashed: colour === 0, values }]
  })
  const charted = trainingCurves(name, curves)
  const drawn = isLoss ? charted : charted.replace(">epoch<", ">step<")
  writePicture(name, drawn.replace("</svg>", `${legend(what, variants)}</svg>`))
}

/** Its table, or its largest differences; draws what there is to draw. */
const summarised = (experiment: Experiment, records: ReadonlyArray<ExperimentRecord>) => {
  const measured = measuredRows(experiment.rows ?? [], records)
  if (measured.length > 0) return ablationLines(experiment, measured)
  writeCurves(experiment, records)
  const isCurve = records.some(({ curves }) => experiment.figure in curves)
  return isCurve ? curveLines(experiment, records) : figuresOf(experiment, records)
}

for (const load of Object.values(experiments)) {
  const { experiment } = await load()
  const records = readRecords(experiment.name)
  if (records.length === 0) continue
  const lines = summarised(experiment, records)
  console.log([`## ${experiment.name}`, "", experiment.question, "", ...lines, ""].join("\n"))
}
