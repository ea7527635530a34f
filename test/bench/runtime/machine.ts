/** What the machine does besides: figures taken while others compute say little. */
import { readFileSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import { type Row, row } from "../Row.ts"

const idleMillis = 2000

/** Shares of the machine's CPU time while we do nothing for two seconds, and the load average. */
export const quietRows = async (when: string): Promise<ReadonlyArray<Row>> => {
  const before = cpuTimes()
  await delay(idleMillis)
  const after = cpuTimes()
  const share = (field: "busy" | "stolen") => (after[field] - before[field]) / (after.all - before.all)
  const load = Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0])
  return [
    row({ name: `machine ${when}: used by others`, value: share("busy"), unit: "of CPU time", goal: 0.05 }),
    row({ name: `machine ${when}: stolen`, value: share("stolen"), unit: "of CPU time", goal: 0.01 }),
    row({ name: `machine ${when}: load average`, value: load, unit: "" })
  ]
}

/** The first line of `/proc/stat`, in ticks: user nice system idle iowait irq softirq steal … */
const cpuTimes = () => {
  const line = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]!
  const [user, nice, system, idle, waiting, irq, softirq, stolen] = line.split(/\s+/).slice(1).map(Number)
  const busy = user! + nice! + system! + irq! + softirq!
  return { busy, stolen: stolen!, all: busy + idle! + waiting! + stolen! }
}
