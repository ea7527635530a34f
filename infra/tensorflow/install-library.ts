/**
 * Fetches TensorFlow's library into the user's cache. Several processes may try at once: one works, the rest
 * wait.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { Effect } from "effect"
import { makeFolder } from "../stores/makeFolder.ts"
import { withInstallLock } from "./install-lock.ts"
import { messageOf } from "./messageOf.ts"
import { downloadWheel, NotFetched } from "./pip-download.ts"
import { extractFromWheel, type WheelFile } from "./wheel.ts"

/** What goes on while a library is fetched; once in `unpack`, `bytes` counts from nought again. */
export interface FetchProgress {
  readonly phase: "download" | "unpack"
  readonly bytes: number
  readonly totalBytes: number
}

/** Not the whole wheel is wanted. Sizes and digests were measured on the wheel named in `pip-download.ts`. */
const FILES: ReadonlyArray<WheelFile> = [
  {
    entry: "tensorflow/libtensorflow_framework.so.2",
    sizeBytes: 65_222_328,
    sha256: "f060b323b26ef80add21b9df9428de3aeaf2843d772c5bb098745f7abff3709b"
  },
  {
    entry: "tensorflow/libtensorflow_cc.so.2",
    sizeBytes: 788_086_608,
    sha256: "6505a4b9657e62100c6bdacb683957a395cb047725042945aaa50e40a71e429e"
  }
]

/** Wheel and libraries lie side by side for a while. */
const NEEDED_BYTES = 1_250_000_000

const rootOf = (cacheDirectory: string): string => path.join(cacheDirectory, "tensorflow")

/** Where the fetched library lies; the folder appears only once it is complete and verified. */
export const installedDirectory = (cacheDirectory: string): string =>
  path.join(rootOf(cacheDirectory), "2.21.0-cpu-linux-x64")

/** Tries to fetch the library. If it did not work out, `reason` says why; never fails. */
export const installLibrary = (
  cacheDirectory: string,
  onProgress: (progress: FetchProgress) => void
): Effect.Effect<{ readonly reason: string }> =>
  Effect.tryPromise({
    try: (signal) => install(cacheDirectory, onProgress, signal),
    catch: (cause) => cause
  }).pipe(
    Effect.as({ reason: "" }),
    Effect.catch((cause) =>
      Effect.succeed({
        reason:
          cause instanceof NotFetched
            ? cause.message
            : `the library could not be fetched: ${messageOf(cause)}`
      })
    )
  )

const install = async (
  cacheDirectory: string,
  onProgress: (progress: FetchProgress) => void,
  signal: AbortSignal
): Promise<void> => {
  const root = rootOf(cacheDirectory)
  const target = installedDirectory(cacheDirectory)
  await makeFolder(root)
  await withInstallLock(path.join(root, "install.lock"), signal, async () => {
    if (await exists(target)) return
    await removeLeftovers(root)
    await requireSpace(root)
    const staging = await fs.mkdtemp(path.join(root, STAGING))
    try {
      await fetchInto(staging, onProgress, signal)
      await fs.rename(path.join(staging, "lib"), target)
    } finally {
      await fs.rm(staging, { recursive: true, force: true })
    }
  })
}

const fetchInto = async (
  staging: string,
  onProgress: (progress: FetchProgress) => void,
  signal: AbortSignal
): Promise<void> => {
  const wheel = await downloadWheel(
    staging,
    (bytes, totalBytes) => onProgress({ phase: "download", bytes, totalBytes }),
    signal
  )
  const lib = path.join(staging, "lib")
  await fs.mkdir(lib)
  const totalBytes = FILES.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  let done = 0
  for (const file of FILES) {
    const target = path.join(lib, path.posix.basename(file.entry))
    const report = (bytes: number): void => onProgress({ phase: "unpack", bytes: done + bytes, totalBytes })
    await extractFromWheel(wheel, file, target, report, signal)
    done += file.sizeBytes
  }
}

const STAGING = "staging-"

/** Whoever holds the lock is alone: what others began, they did not live to finish. */
const removeLeftovers = async (root: string): Promise<void> => {
  for (const name of await fs.readdir(root)) {
    if (name.startsWith(STAGING)) await fs.rm(path.join(root, name), { recursive: true, force: true })
  }
}

const requireSpace = async (root: string): Promise<void> => {
  const { bavail, bsize } = await fs.statfs(root)
  const free = bavail * bsize
  if (free >= NEEDED_BYTES) return
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
  throw new NotFetched(
    `fetching TensorFlow's library needs ${megabytes(NEEDED_BYTES)} in ${root}, ` +
      `where ${megabytes(free)} are free`
  )
}

const exists = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false
  )
