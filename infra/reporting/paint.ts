/** Colours, or none. Widths are counted on what is seen: escape sequences take no room. */
import { stripVTControlCharacters } from "node:util"

export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\u001b[${on}m${text}\u001b[${off}m`

const plain = (text: string): string => text

const colours: Paint = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
  cyan: sgr(36, 39)
}
const colourless: Paint = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain }

export const paintFor = (canColor: boolean): Paint => (canColor ? colours : colourless)

/**
 * Text from elsewhere (names, errors, notes) made safe to print: no escape sequences, no control characters.
 */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  stripVTControlCharacters(text).replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, " ")

/** The same on one line. */
export const oneLine = (text: string): string => printable(text).replace(/\s*\n\s*/g, " ")

const isWide = (code: number): boolean =>
  (code >= 0x1100 && code <= 0x115f) ||
  (code >= 0x2e80 && code <= 0xa4cf) ||
  (code >= 0xac00 && code <= 0xd7a3) ||
  (code >= 0xf900 && code <= 0xfaff) ||
  (code >= 0xfe30 && code <= 0xfe6f) ||
  (code >= 0xff00 && code <= 0xff60) ||
  (code >= 0xffe0 && code <= 0xffe6) ||
  (code >= 0x1f300 && code <= 0x1faff)

const columnsOf = (character: string): number => {
  if (/\p{Mark}/u.test(character)) return 0
  return isWide(character.codePointAt(0) ?? 0) ? 2 : 1
}

/** Terminal columns that a line takes. */
export const widthOf = (text: string): number =>
  [...stripVTControlCharacters(text)].reduce((width, character) => width + columnsOf(character), 0)

/** Uncoloured text cut to `columns`, the cut marked by an ellipsis. */
export const fitted = (text: string, columns: number): string => {
  if (widthOf(text) <= columns) return text
  let width = 1
  let kept = ""
  for (const character of text) {
    width += columnsOf(character)
    if (width > columns) break
    kept += character
  }
  return columns < 1 ? "" : `${kept.trimEnd()}…`
}
