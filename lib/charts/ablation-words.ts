/** The figures of an ablation in words: what tables on paper, pages and terminals share. */
import type { AblationRow, Gain } from "./AblationDocument.ts"
import type { PaperFigure } from "./paper-tables.ts"

/** Points of per cent with a sign, from per cent: `+0.35`, `−0.03`. */
export const signed = (points: number): string => {
  const text = Math.abs(points).toFixed(2)
  if (Number(text) === 0) return text
  return `${points < 0 ? "−" : "+"}${text}`
}

/** `93.40 ± 0.21`, in per cent. */
export const accuracyText = ({ mean, sd }: Pick<AblationRow, "mean" | "sd">): string =>
  `${(100 * mean).toFixed(2)}${sd === null ? "" : ` ± ${(100 * sd).toFixed(2)}`}`

/** `+0.35 ± 0.21`, in points. */
export const gainText = ({ mean, sd }: Gain): string =>
  `${signed(100 * mean)}${sd === null ? "" : ` ± ${(100 * sd).toFixed(2)}`}`

/** `+0.10 … +0.60`, in points. */
export const intervalText = ({ interval }: Gain): string =>
  interval === null ? "–" : interval.map((end) => signed(100 * end)).join(" … ")

/** What stands behind a figure that is only recalled. */
export const recalledMark = "°"

export const recalledNote =
  `${recalledMark} recalled, not read again in the paper: ± 0.05 is possible. The others are confirmed by ` +
  "pages that quote the paper or by the weights that its authors published."

export const figureText = ({ isRecalled, top1 }: PaperFigure): string =>
  `${top1.toFixed(2)}${isRecalled ? recalledMark : ""}`

/** The paper's gain in points. */
export const paperGainText = ({
  after,
  before
}: {
  readonly before: PaperFigure
  readonly after: PaperFigure
}): string =>
  `${signed(after.top1 - before.top1)}${before.isRecalled || after.isRecalled ? recalledMark : ""}`
