/** Several processes measured in turns, so that what disturbs the machine disturbs all of them. */
import { median } from "../Row.ts"
import type { Contender } from "./Contender.ts"
import type { Timing } from "./cases.ts"

const warmUpSteps = 3
const repeatMillis = 1000

/** Medians of so many repeats for each contender; a repeat is steps for about a second. */
export const inTurns = async (
  contenders: ReadonlyArray<Contender>,
  repeats: number
): Promise<ReadonlyArray<Timing>> => {
  const steps: Array<number> = []
  for (const contender of contenders) {
    await contender.run(warmUpSteps)
    const { wall } = await contender.run(1)
    steps.push(Math.max(1, Math.min(200, Math.round(repeatMillis / wall))))
  }
  const timings: ReadonlyArray<Array<Timing>> = contenders.map(() => [])
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [index, contender] of contenders.entries()) {
      timings[index]!.push(await contender.run(steps[index]!))
    }
  }
  return timings.map(medians)
}

const medians = (timings: ReadonlyArray<Timing>): Timing => {
  const of = (field: keyof Timing) => median(timings.map((timing) => timing[field]))
  return {
    wall: of("wall"),
    cpu: of("cpu"),
    system: of("system"),
    pageFaults: of("pageFaults"),
    peakMebibytes: Math.max(...timings.map(({ peakMebibytes }) => peakMebibytes))
  }
}

/** Starts all, measures them, ends them whatever happens. */
export const measured = async (
  starts: ReadonlyArray<() => Promise<Contender>>,
  repeats: number
): Promise<{ readonly timings: ReadonlyArray<Timing>; readonly versions: ReadonlyArray<string> }> => {
  const contenders: Array<Contender> = []
  try {
    for (const start of starts) contenders.push(await start())
    const timings = await inTurns(contenders, repeats)
    return { timings, versions: contenders.map(({ version }) => version) }
  } finally {
    for (const contender of contenders) contender.stop()
  }
}
