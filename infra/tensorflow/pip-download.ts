/** Has pip fetch a wheel. Any pip will do: the wheel is only unpacked, never installed. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { makeOrphanGuard } from "../executors/orphanGuard.ts"
import type { Wheel } from "./releases.ts"

/** The library cannot be fetched here; the message is a clause fit to follow "because". */
export class NotFetched extends Error {
  override readonly name = "NotFetched"
}

/** pip knows one patience for the first byte and for the next: longer than both of ours, which judge. */
const PIP_TIMEOUT_SECONDS = 60

const DOWNLOAD = [
  "download",
  "--quiet",
  "--no-input",
  "--disable-pip-version-check",
  "--no-cache-dir",
  "--no-deps",
  `--timeout=${PIP_TIMEOUT_SECONDS}`,
  "--retries=0",
  "--only-binary=:all:",
  "--python-version=3.12",
  "--implementation=cp",
  "--platform=manylinux_2_27_x86_64",
  "--platform=manylinux2014_x86_64"
]

/** What pip reads besides the user's settings: its work lies in our folder, and nothing is installed. */
const environmentFor = (folder: string): ReadonlyArray<string> => [
  `TMPDIR=${folder}`,
  "PIP_REQUIRE_VIRTUALENV=0",
  "LC_ALL=C.UTF-8"
]

/** Without a first byte after so long there is no network; a broken one later gets more patience. */
export const firstByteMillis = 10_000
const STALL_MILLIS = 30_000
const POLL_MILLIS = 200

export interface DownloadOptions {
  readonly wheel: Wheel
  /** An empty folder for pip, on the file system where the wheel is to lie. */
  readonly folder: string
  readonly onProgress: (bytes: number) => void
  readonly signal: AbortSignal
  readonly patienceMillis?: number
}

/**
 * Fetches a wheel into `folder` and answers its path. Throws `NotFetched` if pip, network or index are
 * missing. pip does not outlive this process, whatever ends it.
 */
export const downloadWheel = async (options: DownloadOptions): Promise<string> => {
  const { folder, signal, wheel } = options
  // pip collects the file under the temporary folder first: kept in ours, it can be watched and is cleaned
  // up.
  const command = ["python3", "-m", "pip", ...DOWNLOAD, wheel.requirement, "--dest", folder]
  const child = spawn("env", [...environmentFor(folder), ...command], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true
  })
  const exit = exitOf(child)
  const guard = makeOrphanGuard()
  if (child.pid !== undefined) guard.watch(child.pid)
  try {
    await watch(options, exit)
  } finally {
    endGroup(child)
    guard.close()
  }
  signal.throwIfAborted()
  const { code, stderr } = await exit
  const file = (await fs.readdir(folder)).find((name) => name.endsWith(".whl"))
  if (code === 0 && file !== undefined) return path.join(folder, file)
  throw new NotFetched(explain(code, stderr, options))
}

/** With all that pip itself has started. */
const endGroup = ({ pid }: ChildProcess): void => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL")
  } catch {
    // It has ended by itself.
  }
}

interface Exit {
  readonly code: number | null
  readonly stderr: string
}

const exitOf = (child: ChildProcess): Promise<Exit> =>
  new Promise((resolve) => {
    let stderr = ""
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-MESSAGE_BYTES)
    })
    child.on("error", (cause) => resolve({ code: null, stderr: cause.message }))
    child.on("close", (code) => resolve({ code, stderr }))
  })

const MESSAGE_BYTES = 10_000

/** Reports the growing file until pip ends; throws if nothing grows. */
const watch = async (options: DownloadOptions, exit: Promise<Exit>): Promise<void> => {
  const { folder, onProgress, signal, wheel } = options
  let ended = false
  void exit.then(() => {
    ended = true
  })
  let bytes = 0
  let lastGrowth = performance.now()
  while (!ended && !signal.aborted) {
    await Promise.race([exit, sleep(POLL_MILLIS)])
    const now = await wheelBytes(folder)
    if (now > bytes) {
      bytes = now
      lastGrowth = performance.now()
      onProgress(Math.min(bytes, wheel.sizeBytes))
    }
    const patience = bytes === 0 ? (options.patienceMillis ?? firstByteMillis) : STALL_MILLIS
    if (!ended && performance.now() - lastGrowth > patience) {
      throw new NotFetched(`pip received nothing for ${patience / 1000} s (is there a network?)`)
    }
  }
}

/** The size of the largest wheel on its way, wherever under `folder` pip keeps it. */
const wheelBytes = async (folder: string): Promise<number> => {
  let largest = 0
  for (const name of await fs.readdir(folder, { recursive: true }).catch(() => [])) {
    if (!name.endsWith(".whl")) continue
    const { size } = await fs.stat(path.join(folder, name)).catch(() => ({ size: 0 }))
    largest = Math.max(largest, size)
  }
  return largest
}

/** What `env` answers for a program that it does not find. */
const NOT_FOUND = 127

const explain = (code: number | null, stderr: string, { folder, wheel }: DownloadOptions): string => {
  if (/No module named pip/.test(stderr)) return "python3 is here but has no pip to fetch it with"
  if (/No space left on device/.test(stderr)) return `the disk is full (${path.dirname(folder)})`
  if (code === NOT_FOUND || /ENOENT/.test(stderr)) return "there is no python3 to fetch it with"
  if (/No matching distribution|Network is unreachable|Temporary failure in name/.test(stderr)) {
    return (
      `pip found no ${wheel.requirement.replace("==", " ")} ` +
      "(no network, a package index without it, or a pip older than 20.3)"
    )
  }
  const last = stderr
    .trim()
    .split("\n")
    .findLast((line) => line.startsWith("ERROR:"))
  return `pip could not fetch ${wheel.requirement}${last === undefined ? "" : ` (${last})`}`
}
