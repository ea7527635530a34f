/**
 * Processes that wait for the next job: starting one costs more than many a job does. As many wait as ran at
 * once, for a few seconds.
 */
import { type ChildProcessOptions, JobProcess } from "./JobProcess.ts"
import { makeOrphanGuard } from "./orphanGuard.ts"

const idleMillis = 5_000

export interface ProcessPool {
  /** One that waits, or a new one; always a new one where a fresh one is asked for. */
  readonly take: (fresh: boolean) => JobProcess
  /** For the next job. What is not given back is to be killed. */
  readonly giveBack: (process: JobProcess) => void
  /** Ends those that wait. */
  readonly close: () => void
}

export const makeProcessPool = (options: ChildProcessOptions): ProcessPool => {
  const guard = makeOrphanGuard()
  const idle = new Map<JobProcess, NodeJS.Timeout>()
  const drop = (process: JobProcess): void => {
    clearTimeout(idle.get(process))
    idle.delete(process)
    process.kill()
  }
  const takeIdle = (): JobProcess | undefined => {
    for (const process of [...idle.keys()].reverse()) {
      if (!process.isAlive) {
        drop(process)
        continue
      }
      clearTimeout(idle.get(process))
      idle.delete(process)
      process.wake()
      return process
    }
    return undefined
  }
  return {
    take: (fresh) => (fresh ? undefined : takeIdle()) ?? new JobProcess(options, guard),
    giveBack: (process) => {
      process.rest()
      idle.set(process, setTimeout(() => drop(process), idleMillis).unref())
    },
    close: () => {
      for (const process of [...idle.keys()]) drop(process)
      guard.close()
    }
  }
}
