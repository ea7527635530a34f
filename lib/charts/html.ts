/** Text and numbers as they stand in a page. */

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character]!)

/** A fraction 0…1 as "93.4 %". */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`

/** 272474 as "272 k", 31021056 as "31 M". */
export const scaled = (value: number): string => {
  const [divisor, unit] =
    value >= 1e9 ? [1e9, " G"] : value >= 1e6 ? [1e6, " M"] : value >= 1e3 ? [1e3, " k"] : [1, ""]
  return `${Number((value / divisor).toPrecision(3))}${unit}`
}

/** 60000 as "60,000". */
export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",")

/** A dash where a value was not measured. */
export const orDash = (value: number | null | undefined, text: (value: number) => string): string =>
  value === null || value === undefined ? "–" : text(value)

export interface HtmlColumn {
  readonly title: string
  /** Words stand left, numbers right. */
  readonly isText?: boolean
}

/** Titles and cells are HTML already. */
export const htmlTable = (
  columns: ReadonlyArray<HtmlColumn>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): string => {
  const mark = (index: number): string => (index > 0 && columns[index]?.isText ? ' class="text"' : "")
  const head = columns.map(({ title }, index) => `<th${mark(index)}>${title}</th>`).join("")
  const body = rows.map(
    (cells) => `<tr>${cells.map((cell, index) => `<td${mark(index)}>${cell}</td>`).join("")}</tr>`
  )
  return (
    `<div class="wide"><table><thead><tr>${head}</tr></thead>` +
    `<tbody>\n${body.join("\n")}\n</tbody></table></div>`
  )
}
