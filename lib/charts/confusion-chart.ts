import { axisStyle, grid, renderSvg } from "./svg.ts"

/** More classes than this get cells without numbers. */
const numberedClassesMax = 20

/** "97"; what is there, but rounds to nothing, is not "0". */
const shareText = (share: number): string => (share < 0.005 ? "<1" : String(Math.round(100 * share)))

export interface ConfusionChart {
  readonly classes: ReadonlyArray<string>
  /** Row: label, column: prediction. */
  readonly matrix: ReadonlyArray<ReadonlyArray<number>>
  /** What is written into a cell: its count, or its percentage of its row. */
  readonly cells: "counts" | "shares"
}

/** A cell is the darker, the larger its share of its row. */
export const confusionChart = (id: string, { classes, matrix, cells: written }: ConfusionChart): string => {
  const numbered = classes.length <= numberedClassesMax
  const side = Math.max(360, Math.min(720, 44 * classes.length))
  const cells = matrix.flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count, prediction) => {
      // The square root lifts the rare confusions, which are what one looks for.
      const share = total === 0 ? 0 : Math.sqrt(count / total)
      const text = written === "counts" ? String(count) : shareText(count / total)
      return {
        value: [prediction, label, share],
        label: {
          show: numbered && count > 0,
          formatter: text,
          opacity: 1,
          color: share > 0.55 ? "var(--on-accent)" : "var(--text)"
        }
      }
    })
  })
  const axis = { ...axisStyle, type: "category", data: classes, splitLine: { show: false } }
  return renderSvg(
    id,
    { width: side + 90, height: side + 60 },
    {
      grid: grid({ left: 4, right: 8, top: 4, bottom: 4 }),
      xAxis: {
        ...axis,
        axisLabel: { ...axisStyle.axisLabel, rotate: 40, interval: numbered ? 0 : "auto" }
      },
      yAxis: {
        ...axis,
        inverse: true,
        axisLabel: { ...axisStyle.axisLabel, interval: numbered ? 0 : "auto" }
      },
      visualMap: { show: false, min: 0, max: 1, inRange: { opacity: [0.04, 1] } },
      series: [
        {
          type: "heatmap",
          silent: true,
          data: cells,
          itemStyle: { color: "var(--accent)", borderColor: "var(--page)", borderWidth: 1 },
          label: { fontSize: 12 },
          emphasis: { disabled: true }
        }
      ]
    }
  )
}
