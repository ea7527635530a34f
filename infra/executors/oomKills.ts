/** What the system did for lack of memory. */
import { readFileSync } from "node:fs"

/** How many processes it has killed since it started; undefined where it does not tell: only Linux does. */
export const oomKills = (): number | undefined => {
  try {
    const [, count] = /^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "utf8")) ?? []
    return count === undefined ? undefined : Number(count)
  } catch {
    return undefined
  }
}
