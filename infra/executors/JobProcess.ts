/**
 * One child process, as its parent sees it: runs jobs one after another, tells what it prints, is killed with
 * all it started.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { JobSignal } from "../../lib/workflow/Executor.ts"
import type { StoreTraffic } from "../stores/TrafficMeter.ts"
import { type ChildRequest, type FromChild, type JobEnding, outputEnd, type ToChild } from "./messages.ts"
import { oomKills } from "./oomKills.ts"
import type { OrphanGuard } from "./orphanGuard.ts"
import type { StateAnswer, StateQuestion } from "./stateQuestions.ts"

export interface ChildProcessOptions {
  /** The entry that calls `runChild`. */
  readonly childFile: string
  /** Flags for Node itself, before the entry. */
  readonly nodeFlags?: ReadonlyArray<string>
  /** All the child sees; see `childEnvironment`. */
  readonly environment: { readonly [name: string]: string }
  /** Told what each job moved to and from the store. */
  readonly onTraffic?: (traffic: StoreTraffic) => void
}

/** The process is gone, and told nothing of how its job ended. */
export interface Lost {
  readonly _tag: "Lost"
  readonly how: string
  readonly signal: NodeJS.Signals | null
  /** As far as can be told: the system killed a process for it while the job ran. */
  readonly isOutOfMemory: boolean
}

export interface Ended {
  readonly ending: JobEnding | Lost
  /** The last lines that the job printed, both streams as they came. */
  readonly logTail: ReadonlyArray<string>
}

const numTailLines = 30
const numStreams = 2

/** Who follows a job, and answers what it asks. */
export interface JobLink {
  readonly onSignal: (signal: JobSignal) => Promise<void>
  readonly onQuestion: (question: StateQuestion) => Promise<StateAnswer>
}

/** The job that runs now. */
interface Current {
  readonly resolve: (ended: Ended) => void
  readonly reject: (reason: unknown) => void
  readonly link: JobLink
  readonly tail: Array<string>
  /** Signals are told in order. */
  delivered: Promise<void>
  ending: JobEnding | undefined
  /** Of the two streams, those that were read to the end of what the job printed. */
  numStreamsEnded: number
}

/** A handle that keeps the event loop alive, or not. */
interface Holding {
  readonly ref?: () => void
  readonly unref?: () => void
}

export class JobProcess {
  readonly #child: ChildProcess
  readonly #guard: OrphanGuard
  readonly #onTraffic: ChildProcessOptions["onTraffic"]
  #current: Current | undefined
  #gone: Lost | undefined
  #oomKillsBefore: number | undefined

  /** It has its own process group, so that the terminal's Ctrl-C reaches only the parent. */
  constructor(options: ChildProcessOptions, guard: OrphanGuard) {
    this.#guard = guard
    this.#onTraffic = options.onTraffic
    this.#child = spawn(process.execPath, [...(options.nodeFlags ?? []), options.childFile], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: true,
      env: { ...options.environment }
    })
    if (this.#child.pid !== undefined) guard.watch(this.#child.pid)
    this.#listen()
  }

  get isAlive(): boolean {
    return this.#gone === undefined && this.#child.exitCode === null && this.#child.connected
  }

  /**
   * Resolves when the job has ended and all its signals are delivered; where the process ends with it, when
   * that is gone. Rejects with what `link` rejects with.
   */
  run(request: ChildRequest, isLast: boolean, link: JobLink): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const delivered = Promise.resolve()
      const current: Current = {
        resolve,
        reject,
        link,
        tail: [],
        delivered,
        ending: undefined,
        numStreamsEnded: 0
      }
      this.#current = current
      this.#oomKillsBefore = oomKills()
      if (this.#gone !== undefined) this.#settle(current, this.#gone)
      else this.#tell({ _tag: "Run", request, isLast })
    })
  }

  /** The job stops at its next step. */
  stop(): void {
    this.#tell({ _tag: "Stop" })
  }

  /** The whole group: a body may have started processes of its own, which can outlive it. */
  kill(): void {
    const { pid } = this.#child
    // The id of a process that is known to be gone may be another's by now.
    if (pid === undefined || this.#gone !== undefined) return
    try {
      process.kill(-pid, "SIGKILL")
    } catch {
      // Nobody of the group is left.
    }
  }

  /** While it waits for a job it does not hold this process. */
  rest(): void {
    for (const handle of this.#handles()) handle?.unref?.()
  }

  wake(): void {
    for (const handle of this.#handles()) handle?.ref?.()
  }

  #handles(): ReadonlyArray<Holding | null | undefined> {
    const { channel, stderr, stdout } = this.#child
    return [this.#child, channel, stdout as Holding | null, stderr as Holding | null]
  }

  #tell(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  #listen(): void {
    const child = this.#child
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => this.#onLine(line))
    }
    child.on("message", (message: FromChild) => this.#onMessage(message))
    child.on("error", (error) => this.#onGone(`it could not be started: ${error.message}`, null))
    // Processes it left behind would keep its pipes open, and "close" would never come.
    child.on("exit", () => this.kill())
    child.on("close", (code, signal) => {
      this.#guard.release(child.pid!)
      this.#onGone(signal === null ? `exit code ${code}` : `signal ${signal}`, signal)
    })
  }

  #deliver(current: Current, signal: JobSignal): void {
    current.delivered = current.delivered.then(() => current.link.onSignal(signal))
    // At once, and not when the child ends by itself: letting go of it kills it.
    current.delivered.catch(current.reject)
  }

  #onLine(line: string): void {
    const current = this.#current
    if (current === undefined) return
    const isEnd = line.endsWith(outputEnd)
    const text = isEnd ? line.slice(0, -outputEnd.length) : line
    if (text !== "" || !isEnd) {
      current.tail.push(text)
      if (current.tail.length > numTailLines) current.tail.shift()
      this.#deliver(current, { _tag: "Output", line: text })
    }
    if (isEnd) current.numStreamsEnded += 1
    this.#settleIfDone(current)
  }

  #onMessage(message: FromChild): void {
    const current = this.#current
    if (message._tag === "Traffic") this.#onTraffic?.(message.traffic)
    else if (current === undefined) return
    else if (message._tag === "Signal") this.#deliver(current, message.signal)
    else if (message._tag === "Question") {
      const { id, question } = message
      const tell = (answer: StateAnswer) => this.#tell({ _tag: "Answer", id, answer })
      current.link.onQuestion(question).then(tell, current.reject)
    } else {
      current.ending = message
      this.#settleIfDone(current)
    }
  }

  #onGone(how: string, signal: NodeJS.Signals | null): void {
    const isOutOfMemory = signal === "SIGKILL" && oomKills() !== this.#oomKillsBefore
    this.#gone ??= { _tag: "Lost", how, signal, isOutOfMemory }
    const current = this.#current
    if (current !== undefined) this.#settle(current, current.ending ?? this.#gone)
  }

  #settleIfDone(current: Current): void {
    const { ending, numStreamsEnded } = current
    const livesOn = ending?._tag === "Done" && ending.isReusable
    if (livesOn && numStreamsEnded === numStreams) this.#settle(current, ending)
  }

  #settle(current: Current, ending: JobEnding | Lost): void {
    this.#current = undefined
    const ended = { ending, logTail: [...current.tail] }
    current.delivered.then(() => current.resolve(ended), current.reject)
  }
}
