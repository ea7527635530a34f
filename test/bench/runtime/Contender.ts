/** A measuring process: ours or a peer's. While another takes its turn it waits and computes nothing. */
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { childEnvironment, numPoolThreads } from "../../../infra/executors/childEnvironment.ts"
import { peerNetwork } from "../networks/peerNetwork.ts"
import { type Assignment, recipe, type Timing } from "./cases.ts"

export interface Contender {
  /** Of the library that computes. */
  readonly version: string
  /** From the start of the process to the end of its first step. */
  readonly firstStepMillis: number
  readonly run: (steps: number) => Promise<Timing>
  readonly stop: () => void
}

/** `core`: the only one that the process may use. */
interface StartOptions {
  readonly assignment: Assignment
  readonly core?: number
}

export const startOurs = ({ assignment, core }: StartOptions): Promise<Contender> =>
  start([process.execPath, join(import.meta.dirname, "ours.ts"), JSON.stringify(assignment)], {
    core,
    environment: jobEnvironment(assignment.threads)
  })

/** What the executor gives to the process of a job. */
export const jobEnvironment = (threads: number) => childEnvironment(process.env, numPoolThreads(threads))

export const startPeer = (
  library: "PyTorch" | "ONNX Runtime",
  python: string,
  { assignment, core }: StartOptions
): Promise<Contender> => {
  const script = join(import.meta.dirname, "../peers/measured.py")
  return start([python, script, JSON.stringify({ library, assignment: forPeer(assignment), recipe })], {
    core
  })
}

/** The networks as data. */
const forPeer = (assignment: Assignment) => {
  if (assignment.what === "matmul") return assignment
  const { architecture, teacher, ...rest } = assignment.case
  const networks = { network: peerNetwork(architecture), ...(teacher && { teacher: peerNetwork(teacher) }) }
  return { ...assignment, case: { ...rest, ...networks } }
}

export const start = async (
  command: ReadonlyArray<string>,
  {
    core,
    environment = process.env
  }: {
    readonly core?: number | undefined
    readonly environment?: { readonly [name: string]: string | undefined }
  }
): Promise<Contender> => {
  const [program, ...args] = [...(core === undefined ? [] : ["taskset", "-c", String(core)]), ...command]
  const began = performance.now()
  const child = spawn(program!, args, { env: environment, stdio: ["pipe", "pipe", "pipe"] })
  const next = answersOf(child, command)
  const { version } = (await next()) as { readonly version: string }
  return {
    version,
    firstStepMillis: performance.now() - began,
    run: async (steps) => {
      child.stdin.write(`${steps}\n`)
      return (await next()) as Timing
    },
    stop: () => child.stdin.end()
  }
}

const answersOf = ({ stderr, stdout }: ChildProcess, command: ReadonlyArray<string>) => {
  let said = ""
  stderr!.on("data", (chunk) => {
    said = (said + chunk).slice(-4000)
  })
  const lines = createInterface({ input: stdout! })[Symbol.asyncIterator]()
  return async (): Promise<unknown> => {
    const line = await lines.next()
    if (line.done === true) throw new Error(`${command.slice(0, 2).join(" ")} ended early:\n${said}`)
    return JSON.parse(line.value)
  }
}
