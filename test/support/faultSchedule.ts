/**
 * What breaks during a run, and how often, drawn from a seed: one fault foremost, the others now and then.
 * The draws are the seed's; which request meets which of them is the run's.
 */
import type { Fault, Passing } from "./faultyProxy.ts"

export const themes = [
  "storm",
  "reset",
  "cut",
  "flip",
  "lost",
  "slow",
  "stall",
  "outage",
  "server killed in an upload"
] as const
export type Theme = (typeof themes)[number]

/** mulberry32 */
export const drawsOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface ScheduleOptions {
  readonly seed: number
  readonly theme: Theme
  /** A stall costs half a minute each, so there are few. */
  readonly numStallsMax: number
  readonly outageMillis: number
  /** Kills the server and starts it again. */
  readonly bounceServer: () => Promise<void>
}

export interface FaultSchedule {
  readonly fault: (passing: Passing) => Fault | undefined | Promise<undefined>
  /** What it has done, by kind. */
  readonly counts: { [kind: string]: number }
}

type Kind = Exclude<Theme, "outage" | "server killed in an upload">

const chanceOf = (theme: Theme, kind: Kind): number => {
  if (kind === "slow" || kind === "stall") return theme === kind ? 0.3 : 0
  return theme === kind ? 0.2 : 0.02
}

const faultOf = (kind: Kind, passing: Passing, draw: () => number): Fault => {
  const { method, sizeBytes } = passing
  const afterBytes = Math.floor(draw() * Math.max(sizeBytes, 60_000))
  switch (kind) {
    case "storm":
      return draw() < 0.5
        ? { kind: "status", status: 503, code: "SlowDown" }
        : { kind: "status", status: 500, code: "InternalError" }
    case "reset":
      return { kind: "reset" }
    case "cut":
      return method === "PUT" && sizeBytes > 0
        ? { kind: "cut sent", afterBytes }
        : { kind: "cut", afterBytes }
    case "flip":
      return { kind: method === "PUT" ? "flip sent" : "flip" }
    case "lost":
      return { kind: "lost" }
    case "slow":
      return { kind: "slow", bytesPerSecond: 2e6 }
    case "stall":
      return { kind: "stall", afterBytes }
  }
}

/** Flips are of objects' bytes: what a server says itself is guarded by TLS alone. */
const isObject = ({ method, query, sizeBytes }: Passing): boolean =>
  (method === "GET" && !query.includes("list-type")) || (method === "PUT" && sizeBytes > 0)

const kinds = themes.filter(
  (theme): theme is Kind => !["outage", "server killed in an upload"].includes(theme)
)

/** Of one object, so often: nobody survives bytes that come damaged every time. */
const numFlipsMax = 2

export const faultSchedule = (options: ScheduleOptions): FaultSchedule => {
  const { bounceServer, numStallsMax, outageMillis, seed, theme } = options
  const draw = drawsOf(seed)
  const counts: { [kind: string]: number } = {}
  const flips = new Map<string, number>()
  const count = (kind: string): number => (counts[kind] = (counts[kind] ?? 0) + 1)
  let awayFrom: number | undefined
  let numRequests = 0
  let isBounced = false
  const outageAt = 20 + Math.floor(draw() * 100)
  const isAway = (): boolean => {
    if (theme !== "outage" || numRequests < outageAt) return false
    awayFrom ??= performance.now()
    return performance.now() - awayFrom < outageMillis
  }
  const isRefused = (kind: Kind, passing: Passing): boolean => {
    if (kind === "stall") return (counts.stall ?? 0) >= numStallsMax
    if (kind !== "flip") return false
    const numFlips = flips.get(passing.path) ?? 0
    if (!isObject(passing) || numFlips >= numFlipsMax) return true
    flips.set(passing.path, numFlips + 1)
    return false
  }
  const fault = (passing: Passing): Fault | undefined | Promise<undefined> => {
    numRequests++
    // A command that cannot reach its store says so at once: faults are for what comes then.
    if (passing.path.endsWith("format.json")) return undefined
    if (isAway()) {
      count("outage")
      return { kind: "reset" }
    }
    const isPart = passing.query.includes("partNumber=2")
    if (theme === "server killed in an upload" && isPart && !isBounced) {
      isBounced = true
      count(theme)
      return bounceServer().then(() => undefined)
    }
    const kind = kinds.find((one) => draw() < chanceOf(theme, one))
    if (kind === undefined || isRefused(kind, passing)) return undefined
    count(kind)
    return faultOf(kind, passing, draw)
  }
  return { fault, counts }
}
