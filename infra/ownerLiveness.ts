/** `OwnerLiveness` from `/proc`, or `ps` where there is none. */
import { execFile } from "node:child_process"
import { readFile, readlink } from "node:fs/promises"
import { hostname } from "node:os"
import { promisify } from "node:util"
import { Effect, Layer } from "effect"
import { OwnerLiveness } from "../lib/storage/Lease.ts"
import { processExists } from "./processExists.ts"

const orEmpty = (read: Promise<string>): Promise<string> => read.then((text) => text.trim()).catch(() => "")

/**
 * Where a pid means the same process: one boot of one kernel, one pid namespace. Containers often share a
 * host's name, or all of the host but its pids.
 */
const machineOf = async (): Promise<string> => {
  const boot = await orEmpty(readFile("/proc/sys/kernel/random/boot_id", "utf8"))
  const namespace = await orEmpty(readlink("/proc/self/ns/pid"))
  return `${hostname()} ${boot} ${namespace}`
}

/** Of a process that has ended but was not yet waited for: no pid, as good as gone. */
const isZombie = (state: string): boolean => /^[ZX]/.test(state)

interface Process {
  readonly state: string
  /** When it started, in whatever the system counts in. */
  readonly started: string
}

/** The name in parentheses may hold anything; the state follows it as field 3, the start as field 22. */
const fromProc = async (pid: number): Promise<Process | undefined> => {
  const text = await orEmpty(readFile(`/proc/${pid}/stat`, "utf8"))
  if (text === "") return undefined
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return { state: fields[0]!, started: fields[19]! }
}

const fromPs = async (pid: number): Promise<Process | undefined> => {
  const environment = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" }
  const run = promisify(execFile)("ps", ["-o", "state=,lstart=", "-p", String(pid)], { env: environment })
  const [state, ...started] = (await orEmpty(run.then(({ stdout }) => stdout))).split(/\s+/)
  return state === undefined || started.length === 0 ? undefined : { state, started: started.join(" ") }
}

const processOf = async (pid: number): Promise<Process | undefined> =>
  (await fromProc(pid)) ?? (process.platform === "linux" ? undefined : await fromPs(pid))

const incarnationOf = (machine: string, started: string): string => `${machine} ${started}`

/** Certain only of our own machine, and of processes that we may look at. */
const isGoneOn = async (machine: string, pid: number, incarnation: string): Promise<boolean> => {
  if (!incarnation.startsWith(incarnationOf(machine, ""))) return false
  if (!processExists(pid)) return true
  const found = await processOf(pid)
  // What started at an unknown time cannot be told from a later process with its pid.
  if (found === undefined || incarnation === incarnationOf(machine, "")) return false
  return isZombie(found.state) || incarnationOf(machine, found.started) !== incarnation
}

/** A process as another one may ask after it. */
export interface ProcessIdentity {
  readonly host: string
  readonly pid: number
  readonly incarnation: string
}

/** This process. */
export const ownIdentity = async (): Promise<ProcessIdentity> => {
  const started = (await processOf(process.pid))?.started ?? ""
  return { host: hostname(), pid: process.pid, incarnation: incarnationOf(await machineOf(), started) }
}

/** Whether the process is certainly gone; of other machines nothing is certain. */
export const isGone = async ({ incarnation, pid }: ProcessIdentity): Promise<boolean> =>
  isGoneOn(await machineOf(), pid, incarnation)

export const ownerLivenessLayer: Layer.Layer<OwnerLiveness> = Layer.effect(
  OwnerLiveness,
  Effect.map(Effect.promise(ownIdentity), (self) => ({
    self,
    isGone: (owner) => Effect.promise(() => isGone(owner))
  }))
)
