/**
 * Charts as SVG text, by Apache ECharts without a browser. Colours are CSS variables of the page that shows
 * them (`--text`, `--muted`, `--line`, `--accent`, `--series-0`), so that one chart serves light and dark.
 */
import { HeatmapChart, LineChart } from "echarts/charts"
import { GridComponent, MarkLineComponent, VisualMapComponent } from "echarts/components"
import { type EChartsCoreOption, init, use } from "echarts/core"
import { SVGRenderer } from "echarts/renderers"

use([SVGRenderer, LineChart, HeatmapChart, GridComponent, MarkLineComponent, VisualMapComponent])

export interface ChartSize {
  /** CSS pixels; the page scales the chart to the room it has. */
  readonly width: number
  readonly height: number
}

/** Room inside the chart's edges; axis names and labels stay within it. */
export const grid = (edges: { left: number; right: number; top: number; bottom: number }) => ({
  ...edges,
  outerBoundsMode: "same",
  outerBoundsContain: "all"
})

export const numSeriesColours = 6
export const seriesColour = (index: number): string => `var(--series-${index % numSeriesColours})`

/** Text and lines of an axis in the page's colours. */
export const axisStyle = {
  nameTextStyle: { color: "var(--muted)" },
  axisLabel: { color: "var(--muted)", fontSize: 13 },
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: "var(--line)" } }
} as const

/**
 * The same bytes for the same option, whatever was drawn before: ECharts numbers the ids it gives out over
 * the whole process, so they are renamed after `id`, which must be unique on the page.
 */
export const renderSvg = (id: string, size: ChartSize, option: EChartsCoreOption): string => {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size })
  chart.setOption({ animation: false, textStyle: { fontFamily: "inherit" }, ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return inlined(id, svg)
}

/**
 * Without what only a live chart needs (hover styles, its own metadata) and what HTML around it makes
 * needless.
 */
const inlined = (id: string, svg: string): string => {
  const bare = svg
    .replace(/<style >[\s\S]*?<\/style>\n?/g, "")
    .replace(/ (?:class|ecmeta_\w+)="[^"]*"/g, "")
    .replace(/<rect [^>]*fill="none"><\/rect>\n?/, "")
    .replace(/-opacity="(0\.\d+)"/g, (_, share: string) => `-opacity="${Number(share).toFixed(3)}"`)
    .replace(/<svg [^>]*?(viewBox="[^"]*")[^>]*>/, '<svg role="img" $1>')
  const ids = [...new Set(bare.match(/\bzr\d+-[\w-]+/g) ?? [])]
  return ids.reduce(
    (text, old, index) =>
      text.replaceAll(`${old}"`, `${id}-${index}"`).replaceAll(`${old})`, `${id}-${index})`),
    bare
  )
}
