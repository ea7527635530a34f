/** Has pip fetch TensorFlow's wheel. Any pip will do: the wheel is only unpacked, never installed. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** The library cannot be fetched here; the message is a clause fit to follow "because". */
export class NotFetched extends Error {
  override readonly name = "NotFetched"
}

const WHEEL_BYTES = 274_000_871

const DOWNLOAD = [
  "download",
  "--quiet",
  "--no-input",
  "--disable-pip-version-check",
  "--no-cache-dir",
  "--no-deps",
  "--timeout=3",
  "--retries=0",
  "--only-binary=:all:",
  "--python-version=3.12",
  "--implementation=cp",
  "--platform=manylinux_2_27_x86_64",
  "tensorflow-cpu==2.21.0"
]

/** Without a first byte after so long there is no network; a broken one later gets more patience. */
const FIRST_BYTE_MILLIS = 5_000
const STALL_MILLIS = 30_000
const POLL_MILLIS = 200

/**
 * Fetches the wheel into `folder` and answers its path. Throws `NotFetched` if pip, network or index are
 * missing.
 */
export const downloadWheel = async (
  folder: string,
  onProgress: (bytes: number, totalBytes: number) => void,
  signal: AbortSignal
): Promise<string> => {
  // pip collects the file under the temporary folder first: kept in ours, it can be watched and is cleaned
  // up.
  const command = [`TMPDIR=${folder}`, "python3", "-m", "pip", ...DOWNLOAD, "--dest", folder]
  const child = spawn("env", command, { stdio: ["ignore", "ignore", "pipe"], signal })
  const exit = exitOf(child)
  try {
    await watch(folder, exit, onProgress)
  } finally {
    child.kill("SIGKILL")
  }
  const { code, stderr } = await exit
  const wheel = (await fs.readdir(folder)).find((name) => name.endsWith(".whl"))
  if (code === 0 && wheel !== undefined) return path.join(folder, wheel)
  throw new NotFetched(explain(stderr))
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
const watch = async (
  folder: string,
  exit: Promise<Exit>,
  onProgress: (bytes: number, totalBytes: number) => void
): Promise<void> => {
  let ended = false
  void exit.then(() => {
    ended = true
  })
  let bytes = 0
  let lastGrowth = performance.now()
  while (!ended) {
    await Promise.race([exit, sleep(POLL_MILLIS)])
    const now = await wheelBytes(folder)
    if (now > bytes) {
      bytes = now
      lastGrowth = performance.now()
      onProgress(Math.min(bytes, WHEEL_BYTES), WHEEL_BYTES)
    }
    const patience = bytes === 0 ? FIRST_BYTE_MILLIS : STALL_MILLIS
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

const explain = (stderr: string): string => {
  if (/No module named pip/.test(stderr))
    return "python3 is here but has no pip to fetch TensorFlow's library with"
  if (/ENOENT|No such file or directory/.test(stderr))
    return "there is no python3 to fetch TensorFlow's library with"
  if (/No matching distribution/.test(stderr)) {
    return "pip found no tensorflow-cpu 2.21.0 (no network, or a package index without it)"
  }
  const last = stderr
    .trim()
    .split("\n")
    .findLast((line) => line.startsWith("ERROR:"))
  return `pip could not fetch TensorFlow's library${last === undefined ? "" : ` (${last})`}`
}
