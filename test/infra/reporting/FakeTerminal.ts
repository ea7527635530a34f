/** A terminal in memory: what is on it after the control sequences that our reporter writes. */
import type { Screen } from "../../../infra/reporting/Screen.ts"

export class FakeTerminal implements Screen {
  width: number
  height: number
  lines: Array<string> = [""]
  row = 0
  column = 0
  cursorVisible = true
  wraps = true
  /** Writes so far: one a frame. */
  frames = 0
  readonly exitHandlers = new Set<() => void>()

  constructor(width: number, height = 24) {
    this.width = width
    this.height = height
  }

  readonly columns = (): number => this.width
  readonly rows = (): number => this.height
  readonly onExit = (restore: () => void): (() => void) => {
    this.exitHandlers.add(restore)
    return () => void this.exitHandlers.delete(restore)
  }

  readonly write = (text: string): void => {
    this.frames++
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal reads them
    for (const [token] of text.matchAll(/\u001b\[\??[\d;]*[A-Za-z]|[\s\S]/gu)) this.#apply(token)
  }

  /**
   * Reflows as terminals do: lines longer than the new width are broken. The cursor stays behind the same
   * text.
   */
  resize(width: number): void {
    const before = this.lines.slice(0, this.row)
    const rowsOf = (line: string) => Math.max(1, Math.ceil([...line].length / width))
    this.row = before.reduce((rows, line) => rows + rowsOf(line), 0)
    this.lines = this.lines.flatMap((line) =>
      Array.from({ length: rowsOf(line) }, (_, index) =>
        [...line].slice(index * width, (index + 1) * width).join("")
      )
    )
    this.width = width
  }

  /** What a person sees, without empty lines at the end. */
  get text(): string {
    return this.lines
      .map((line) => line.trimEnd())
      .join("\n")
      .trimEnd()
  }

  #apply(token: string): void {
    if (token === "\n") {
      this.row++
      this.column = 0
      this.lines[this.row] ??= ""
    } else if (token === "\r") {
      this.column = 0
    } else if (token.startsWith("\u001b")) {
      this.#control(token.slice(2))
    } else {
      this.#put(token)
    }
  }

  #put(character: string): void {
    if (this.column >= this.width) {
      if (!this.wraps) return
      this.#apply("\n")
    }
    const cells = [...(this.lines[this.row] ?? "").padEnd(this.column)]
    cells[this.column] = character
    this.lines[this.row] = cells.join("")
    this.column++
  }

  #control(sequence: string): void {
    const up = /^(\d+)A$/.exec(sequence)
    if (up !== null) {
      this.row = Math.max(0, this.row - Number(up[1]))
    } else if (sequence === "K") {
      this.lines[this.row] = [...(this.lines[this.row] ?? "")].slice(0, this.column).join("")
    } else if (sequence === "J") {
      this.#control("K")
      this.lines.length = this.row + 1
    } else if (sequence === "?25l" || sequence === "?25h") {
      this.cursorVisible = sequence.endsWith("h")
    } else if (sequence === "?7l" || sequence === "?7h") {
      this.wraps = sequence.endsWith("h")
    } else if (!/^(\d+m|\?2026[hl])$/.test(sequence)) {
      throw new Error(`The fake terminal does not know the sequence ${JSON.stringify(sequence)}.`)
    }
  }
}
