/** What `distillery doctor` says of one thing it looked at. */
export interface Finding {
  readonly name: string
  readonly state: "ok" | "warn" | "fail"
  readonly text: string
  /** What to do, where something is not as it should be. */
  readonly fix?: string
}

export const ok = (name: string, text: string): Finding => ({ name, state: "ok", text })
export const warn = (name: string, text: string, fix: string): Finding => ({ name, state: "warn", text, fix })
export const fail = (name: string, text: string, fix: string): Finding => ({ name, state: "fail", text, fix })
