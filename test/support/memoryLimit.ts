/** A control group whose processes may hold so much memory and no more, as containers have one. */
import { appendFileSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface MemoryLimit {
  readonly add: (pid: number) => void
  /** Once its processes are gone. */
  readonly close: () => void
}

const root = "/sys/fs/cgroup"
const hierarchies = [
  { folder: join(root, "memory"), limit: "memory.limit_in_bytes" },
  { folder: root, limit: "memory.max" }
]

/** Absent: this user may make none here. What it has swapped out may count as well as not. */
export const memoryLimit = (name: string, bytes: number): MemoryLimit | undefined => {
  for (const { folder, limit } of hierarchies) {
    const group = join(folder, name)
    try {
      mkdirSync(group)
    } catch {
      continue
    }
    if (existsSync(join(group, limit))) {
      writeFileSync(join(group, limit), String(bytes))
      return {
        add: (pid) => appendFileSync(join(group, "cgroup.procs"), String(pid)),
        close: () => rmdirSync(group)
      }
    }
    rmdirSync(group)
  }
  return undefined
}
