/** A table of text, its columns as wide as their widest cell. */
import { type Paint, widthOf } from "./paint.ts"

export interface Column {
  readonly title: string
  readonly align?: "left" | "right"
}

const padded = (cell: string, width: number, align: Column["align"]): string => {
  const room = " ".repeat(Math.max(0, width - widthOf(cell)))
  return align === "right" ? room + cell : cell + room
}

/** Lines: a header and one line a row. Cells may be coloured. */
export const table = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  paint: Paint
): ReadonlyArray<string> => {
  const widths = columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(row[index] ?? "")))
  )
  const line = (cells: ReadonlyArray<string>): string =>
    columns
      .map(({ align }, index) => padded(cells[index] ?? "", widths[index]!, align))
      .join("  ")
      .trimEnd()
  return [paint.dim(line(columns.map(({ title }) => title))), ...rows.map(line)]
}
