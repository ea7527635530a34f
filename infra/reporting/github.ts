/** A run as GitHub Actions shows it: the summary of its job, and annotations for what failed. */
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { printable } from "./paint.ts"
import type { RunDocument } from "./RunDocument.ts"
import { countsLine, resultTables } from "./summary.ts"

/** What would end a cell, or start a tag or a mark-up, shown as it is. */
const cell = (text: string): string =>
  printable(text)
    .replace(/\s*\n\s*/g, " ")
    .replace(/[\\|<>`*_[\]]/g, "\\$&")

const row = (cells: ReadonlyArray<string>): string => `| ${cells.map(cell).join(" | ")} |`

const resultLines = (metrics: RunDocument["metrics"]): ReadonlyArray<string> =>
  resultTables(metrics).flatMap(({ columns, rows }) => [
    row(columns.map(({ title }) => title)),
    `|${columns.map(({ align }) => (align === "right" ? "---:" : "---")).join("|")}|`,
    ...rows.map(row),
    ""
  ])

const signs: { readonly [status in RunDocument["status"]]: string } = { ok: "✅", failed: "❌", stopped: "⏹️" }

/** Markdown: status and counts, the scores of the models, what failed. */
export const jobSummary = (document: RunDocument, report: RunReport): ReadonlyArray<string> => [
  `### ${signs[document.status]} ${cell(document.pipeline)}`,
  "",
  cell(countsLine(report)),
  "",
  ...resultLines(document.metrics),
  ...document.jobs.flatMap(({ error, name, stage }) =>
    error === undefined ? [] : [`**${cell(name)}** (${cell(stage)}) failed: ${cell(error.message)}`, ""]
  )
]

const escaped = (text: string): string =>
  printable(text).trimEnd().replaceAll("%", "%25").replaceAll("\n", "%0A")

/** Properties end at a comma or a colon. */
const property = (text: string): string => escaped(text).replaceAll(":", "%3A").replaceAll(",", "%2C")

/** A line that GitHub turns into a note on the run's page. */
export const errorAnnotation = (title: string, message: string): string =>
  `::error title=${property(title)}::${escaped(message)}`
