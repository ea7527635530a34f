/** A terminal one can draw on, and the block of live lines at its bottom. */

export interface Screen {
  readonly write: (text: string) => void
  readonly columns: () => number
  readonly rows: () => number
  /** Calls `restore` when the process ends without warning; the result takes it back. */
  readonly onExit: (restore: () => void) => () => void
}

export const nodeScreen = (stream: NodeJS.WriteStream): Screen => ({
  write: (text) => void stream.write(text),
  // Some terminals inside containers report no size at all.
  columns: () => (stream.columns > 0 ? stream.columns : 80),
  rows: () => (stream.rows > 0 ? stream.rows : 24),
  onExit: (restore) => {
    process.once("exit", restore)
    return () => void process.removeListener("exit", restore)
  }
})

const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"
const wrapOff = "\u001b[?7l"
const wrapOn = "\u001b[?7h"
const eraseLine = "\u001b[K"
const eraseBelow = "\u001b[J"
/** Terminals that know it show all up to the end mark at once; the others ignore it. */
const frameStart = "\u001b[?2026h"
const frameEnd = "\u001b[?2026l"

/**
 * Live lines under whatever was printed before. Each change is one write: the block is overwritten in place,
 * never cleared first, so nothing flickers. The cursor rests below the block.
 */
export class LiveBlock {
  readonly #screen: Screen
  readonly #widthOf: (line: string) => number
  #drawn: ReadonlyArray<string> = []
  #columns = 0
  #unregister: (() => void) | undefined

  constructor(screen: Screen, widthOf: (line: string) => number) {
    this.#screen = screen
    this.#widthOf = widthOf
  }

  /** Replaces the live lines. Does nothing where they are the same. */
  draw(lines: ReadonlyArray<string>): void {
    const sameSize = this.#screen.columns() === this.#columns
    if (sameSize && lines.length === this.#drawn.length && lines.every((l, i) => l === this.#drawn[i])) return
    this.#update([], lines)
  }

  /** Prints lines that stay, above the live ones. */
  print(lines: ReadonlyArray<string>, live: ReadonlyArray<string>): void {
    this.#update(lines, live)
  }

  /** Removes the live lines and gives the cursor back. May be called twice. */
  close(): void {
    if (this.#unregister === undefined) return
    this.#screen.write(`${this.#toTop()}${eraseBelow}${wrapOn}${showCursor}`)
    this.#drawn = []
    this.#unregister()
    this.#unregister = undefined
  }

  #update(printed: ReadonlyArray<string>, live: ReadonlyArray<string>): void {
    this.#unregister ??= this.#screen.onExit(() => this.close())
    const top = this.#toTop()
    const permanent = printed.map((line) => `${line}${eraseLine}\n`).join("")
    const drawn = live.map((line) => `${line}${eraseLine}\n`).join("")
    this.#screen.write(
      `${frameStart}${hideCursor}${top}${permanent}${wrapOff}${drawn}${wrapOn}${eraseBelow}${frameEnd}`
    )
    this.#drawn = live
    this.#columns = this.#screen.columns()
  }

  /** A terminal that became narrower has wrapped the lines drawn before: they take more rows now. */
  #toTop(): string {
    const columns = Math.max(1, this.#screen.columns())
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(this.#widthOf(line) / columns)),
      0
    )
    return rows === 0 ? "\r" : `\u001b[${Math.min(rows, this.#screen.rows() - 1)}A\r`
  }
}
