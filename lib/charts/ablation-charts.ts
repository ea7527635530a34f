/** The charts of an ablation: gains with their intervals beside the paper's, and the scores row by row. */
import type { AblationRow } from "./AblationDocument.ts"
import { paperGainsOf } from "./paper-tables.ts"
import { axisStyle, grid, renderSvg, seriesColour } from "./svg.ts"

const rowHeight = 34
const sizeOf = (numRows: number) => ({ width: 900, height: 56 + rowHeight * numRows })

const seriesOfPaper = 1

/** Rows from the top, values along the bottom. */
const axes = (titles: ReadonlyArray<string>, name: string) => ({
  grid: grid({ left: 8, right: 24, top: 8, bottom: 4 }),
  xAxis: { ...axisStyle, type: "value", scale: true, name, nameLocation: "middle", nameGap: 28 },
  yAxis: {
    ...axisStyle,
    type: "category",
    inverse: true,
    data: titles,
    axisLabel: { ...axisStyle.axisLabel, color: "var(--text)" },
    splitLine: { show: true, lineStyle: { color: "var(--line)" } }
  }
})

type Point = readonly [x: number, row: number]

const line = (data: ReadonlyArray<Point>, colour: string, width: number) => ({
  ...{ type: "line", silent: true, showSymbol: false, data },
  lineStyle: { color: colour, width }
})

const dots = (data: ReadonlyArray<Point>, colour: string, symbol: string, symbolSize: number) => ({
  ...{ type: "line", silent: true, data, symbol, symbolSize, showAllSymbol: true },
  lineStyle: { width: 0 },
  itemStyle: { color: colour }
})

/** No gain, over the whole height, behind the rest; its invisible point keeps 0 on the axis. */
const zeroLine = {
  ...{ type: "line", showSymbol: false, data: [[0, 0]] },
  markLine: {
    ...{ z: 1, silent: true, symbol: "none", label: { show: false }, data: [{ xAxis: 0 }] },
    lineStyle: { color: "var(--muted)", width: 1, type: "solid" }
  }
}

/** In points of per cent: a dot for the mean, a bar for the interval, diamonds for the paper's networks. */
export const gainsChart = (rows: ReadonlyArray<AblationRow>): string => {
  const shown = rows.filter(({ gain }) => gain !== null)
  const whiskers = shown.flatMap(({ gain }, row) =>
    gain?.interval == null ? [] : [gain.interval.map((end): Point => [100 * end, row])]
  )
  const means = shown.map(({ gain }, row): Point => [100 * gain!.mean, row])
  const paper = shown.flatMap((one, row) =>
    paperGainsOf(one).map(({ after, before }): Point => [after.top1 - before.top1, row])
  )
  return renderSvg("ablation-gains", sizeOf(shown.length), {
    ...axes(
      shown.map(({ title }) => title),
      "gain in top-1, points"
    ),
    series: [
      zeroLine,
      ...whiskers.map((ends) => line(ends, seriesColour(0), 3)),
      dots(paper, seriesColour(seriesOfPaper), "diamond", 9),
      dots(means, seriesColour(0), "circle", 10)
    ]
  })
}

/** In per cent: a ring for every seed, a dot for the mean. */
export const scoresChart = (rows: ReadonlyArray<AblationRow>): string => {
  const seeds = rows.flatMap(({ top1 }, row) => top1.map((score): Point => [100 * score, row]))
  const means = rows.map(({ mean }, row): Point => [100 * mean, row])
  return renderSvg("ablation-scores", sizeOf(rows.length), {
    ...axes(
      rows.map(({ title }) => title),
      "top-1 on the test split, per cent"
    ),
    series: [dots(seeds, "var(--muted)", "emptyCircle", 7), dots(means, seriesColour(0), "circle", 10)]
  })
}

export const chartLegend =
  '<p class="legend">' +
  `<span><span class="dot" style="background:${seriesColour(0)}"></span>` +
  "here: mean and interval of 95 %</span> " +
  `<span><span class="dot" style="background:${seriesColour(seriesOfPaper)}"></span>` +
  "the paper's networks on ImageNet</span></p>"
