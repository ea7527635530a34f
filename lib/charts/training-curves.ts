import { axisStyle, grid, renderSvg, seriesColour } from "./svg.ts"

/** One line of a chart: a value per epoch, `null` where it was not measured. */
export interface Curve {
  /** Which colour: curves of one model share it. */
  readonly colour: number
  readonly dashed: boolean
  readonly values: ReadonlyArray<number | null>
}

const size = { width: 440, height: 280 }

/** Values over epochs, counted from 1. */
export const trainingCurves = (id: string, curves: ReadonlyArray<Curve>): string =>
  renderSvg(id, size, {
    grid: grid({ left: 8, right: 16, top: 12, bottom: 4 }),
    xAxis: {
      ...axisStyle,
      type: "value",
      name: "epoch",
      nameLocation: "middle",
      nameGap: 24,
      min: 1,
      max: Math.max(2, ...curves.map(({ values }) => values.length)),
      minInterval: 1,
      splitLine: { show: false }
    },
    yAxis: { ...axisStyle, type: "value", scale: true },
    series: curves.map(({ colour, dashed, values }) => ({
      type: "line",
      silent: true,
      symbol: "circle",
      showSymbol: values.length <= 12,
      symbolSize: 5,
      itemStyle: { color: seriesColour(colour) },
      lineStyle: { color: seriesColour(colour), width: 2, type: dashed ? "dashed" : "solid" },
      data: values.flatMap((value, epoch) => (value === null ? [] : [[epoch + 1, value]]))
    }))
  })
