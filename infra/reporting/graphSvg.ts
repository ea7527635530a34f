/** A pipeline as SVG, laid out by dagre. */
import * as dagre from "@dagrejs/dagre"
import type { GraphJob, PipelineGraph } from "./PipelineGraph.ts"
import { oneLine, widthOf } from "./paint.ts"

interface Point {
  readonly x: number
  readonly y: number
}

/** A job's box; `x` and `y` are its middle. */
interface Box extends Point {
  readonly job: GraphJob
  readonly width: number
  readonly height: number
}

interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: ReadonlyArray<Box>
  /** Each an arrow's points, its ends included. */
  readonly arrows: ReadonlyArray<ReadonlyArray<Point>>
}

// Pixels. The name is set in 13 px, what stands under it in 11 px; fonts differ, so there is room.
const nameCharacter = 8.1
const detailCharacter = 6.6
const boxHeight = 46
const boxWidthMin = 96
const padding = 14
const titleHeight = 44
const legendHeight = 30
const margin = 20

const detailOf = ({ stage, state }: GraphJob): string =>
  `${stage} · ${state === "hit" ? "hit" : state.replace("-", " ")}`

const boxWidth = (job: GraphJob): number =>
  Math.max(
    boxWidthMin,
    Math.ceil(widthOf(job.name) * nameCharacter) + 2 * padding,
    Math.ceil(widthOf(detailOf(job)) * detailCharacter) + 2 * padding
  )

const layout = ({ jobs }: PipelineGraph): Layout => {
  const graph = new dagre.graphlib.Graph()
  graph.setGraph({ rankdir: "LR", nodesep: 22, ranksep: 56, edgesep: 14 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const job of jobs) graph.setNode(job.name, { width: boxWidth(job), height: boxHeight })
  for (const { name, reads } of jobs) for (const from of reads) graph.setEdge(from, name)
  dagre.layout(graph)
  const { height = 0, width = 0 } = graph.graph() as { readonly width?: number; readonly height?: number }
  const boxes = new Map(jobs.map((job) => [job.name, { job, ...(graph.node(job.name) as Omit<Box, "job">) }]))
  const arrows = graph.edges().map((edge: dagre.Edge) => {
    const [from, to] = [boxes.get(edge.v)!, boxes.get(edge.w)!]
    // From the side of one box to the side of the next; between neighbours nothing has to be gone around.
    const { points } = graph.edge(edge) as { readonly points: ReadonlyArray<Point> }
    const bends = points.length > 3 ? points.slice(1, -1) : []
    return [{ x: from.x + from.width / 2, y: from.y }, ...bends, { x: to.x - to.width / 2, y: to.y }]
  })
  return { width, height, boxes: [...boxes.values()], arrows }
}

const escaped = (text: string): string =>
  oneLine(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")

const isHit = ({ state }: GraphJob): boolean => state === "hit"

const boxSvg = ({ height, job, width, x, y }: Box): string => {
  const [left, top] = [(x - width / 2).toFixed(1), (y - height / 2).toFixed(1)]
  const title = job.reason === "" ? job.state : `${job.state}: ${job.reason}`
  return [
    `<g class="${isHit(job) ? "hit" : "pending"}"><title>${escaped(`${job.name}, ${title}`)}</title>`,
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" rx="8"/>`,
    `<text class="name" x="${x.toFixed(1)}" y="${(y - 3).toFixed(1)}">${escaped(job.name)}</text>`,
    `<text class="detail" x="${x.toFixed(1)}" y="${(y + 14).toFixed(1)}">${escaped(detailOf(job))}</text></g>`
  ].join("")
}

const at = (x: number, y: number): string => `${x.toFixed(1)} ${y.toFixed(1)}`

/** From point to point in curves that begin and end level. */
const arrowSvg = (points: ReadonlyArray<Point>): string => {
  const [first, ...rest] = points as readonly [Point, ...ReadonlyArray<Point>]
  const curves = rest.map((to, index) => {
    const from = points[index]!
    const middle = (from.x + to.x) / 2
    return `C ${at(middle, from.y)} ${at(middle, to.y)} ${at(to.x, to.y)}`
  })
  return `<path class="arrow" d="M ${at(first.x, first.y)} ${curves.join(" ")}" marker-end="url(#head)"/>`
}

const style = [
  'text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;text-anchor:middle}',
  ".name{font-size:13px;font-weight:600}.detail{font-size:11px}",
  ".title{font-size:16px;font-weight:600;text-anchor:start;fill:#1f2933}",
  ".legend{font-size:12px;text-anchor:start;fill:#52606d}",
  ".hit rect{fill:#e6f4ea;stroke:#2e8b57}.hit .name{fill:#123d26}.hit .detail{fill:#2f6b4a}",
  ".pending rect{fill:#fff3d6;stroke:#d48806}.pending .name{fill:#4a3000}.pending .detail{fill:#7d5a10}",
  "rect{stroke-width:1.3}.arrow{fill:none;stroke:#8593a3;stroke-width:1.4}"
].join("\n")

const legendSvg = (jobs: ReadonlyArray<GraphJob>, y: number): string => {
  const hits = jobs.filter(isHit).length
  const swatch = (className: string, x: number, text: string) =>
    `<g class="${className}"><rect x="${x}" y="${y - 10}" width="14" height="12" rx="3"/></g>` +
    `<text class="legend" x="${x + 20}" y="${y}">${text}</text>`
  return swatch("hit", margin, `${hits} hits`) + swatch("pending", margin + 90, `${jobs.length - hits} to do`)
}

const widthMin = 240

/** A whole file. */
export const graphSvg = (graph: PipelineGraph): string => {
  const { arrows, boxes, height, width } = layout(graph)
  const total = {
    width: Math.ceil(Math.max(width, widthMin) + 2 * margin),
    height: Math.ceil(height + titleHeight + legendHeight + margin)
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${total.width}" height="${total.height}" ` +
      `viewBox="0 0 ${total.width} ${total.height}" role="img">`,
    `<title>${escaped(`The pipeline ${graph.pipeline}`)}</title>`,
    `<style>${style}</style>`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" ' +
      'orient="auto-start-reverse"><path d="M 0 0.8 L 7.5 4 L 0 7.2 z" fill="#8593a3"/></marker></defs>',
    `<rect width="${total.width}" height="${total.height}" fill="#ffffff" stroke="none"/>`,
    `<text class="title" x="${margin}" y="28">${escaped(graph.pipeline)}</text>`,
    `<g transform="translate(${margin} ${titleHeight})">`,
    ...arrows.map(arrowSvg),
    ...boxes.map(boxSvg),
    "</g>",
    legendSvg(graph.jobs, total.height - 14),
    "</svg>",
    ""
  ].join("\n")
}
