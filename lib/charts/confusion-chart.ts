import { axisStyle, grid, renderSvg } from "./svg.ts"

/** More classes than this get cells without numbers. */
const numberedClassesMax = 20

/** Row: label, column: prediction; a cell is the darker, the larger its share of its row. */
export const confusionChart = (
  id: string,
  classes: ReadonlyArray<string>,
  matrix: ReadonlyArray<ReadonlyArray<number>>
): string => {
  const numbered = classes.length <= numberedClassesMax
  const side = Math.max(360, Math.min(720, 44 * classes.length))
  const cells = matrix.flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count, prediction) => {
      // The square root lifts the rare confusions, which are what one looks for.
      const share = total === 0 ? 0 : Math.sqrt(count / total)
      return {
        value: [prediction, label, share],
        label: {
          show: numbered && count > 0,
          formatter: String(count),
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
