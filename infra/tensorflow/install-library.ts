/**
 * Fetches TensorFlow's library into the user's cache. Several processes may try at once: one works, the rest
 * wait. What is interrupted leaves whole wheels behind, which the next attempt takes up.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { Effect } from "effect"
import { makeFolder } from "../stores/makeFolder.ts"
import { withInstallLock } from "./install-lock.ts"
import { digestOf, libraryRoot, releaseFolder, verify, writeRecord } from "./installed.ts"
import { messageOf } from "./messageOf.ts"
import { downloadWheel, NotFetched } from "./pip-download.ts"
import type { Release, Wheel } from "./releases.ts"
import { stoppable } from "./stoppable.ts"
import { type UnpackedFile, unpackWheel } from "./wheel.ts"

/** What goes on while a library is fetched; with each phase, `bytes` counts from nought again. */
export type FetchProgress =
  | { readonly phase: "download" | "unpack"; readonly bytes: number; readonly totalBytes: number }
  /** Another process is at it. */
  | { readonly phase: "wait"; readonly pid: number; readonly host: string }

export interface InstallOptions {
  readonly cacheDirectory: string
  readonly release: Release
  readonly onProgress: (progress: FetchProgress) => void
}

/** Whether it is there now, and whether it was before; or why not, a clause fit to follow "because". */
export type InstallOutcome =
  | { readonly state: "fetched" | "present" }
  | { readonly state: "failed"; readonly reason: string }

/** Tries to fetch a library that is not there, or not as it was fetched. Never fails. */
export const installLibrary = (options: InstallOptions): Effect.Effect<InstallOutcome> =>
  stoppable((signal) => install(options, signal)).pipe(
    Effect.catch((cause) =>
      Effect.succeed<InstallOutcome>({ state: "failed", reason: reasonOf(cause, options) })
    )
  )

const reasonOf = (cause: unknown, { cacheDirectory }: InstallOptions): string => {
  if (cause instanceof NotFetched) return cause.message
  if ((cause as NodeJS.ErrnoException).code === "ENOSPC")
    return `the disk is full (${libraryRoot(cacheDirectory)})`
  return `the library could not be fetched: ${messageOf(cause)}`
}

const LOCK = "install.lock"
const STAGING = "staging-"
/** Whole wheels of a release that is not unpacked yet, named by their digest. */
const DOWNLOADS = "downloads"

const install = async (options: InstallOptions, signal: AbortSignal): Promise<InstallOutcome> => {
  const { cacheDirectory, onProgress, release } = options
  const root = libraryRoot(cacheDirectory)
  const target = releaseFolder(cacheDirectory, release)
  await makeFolder(root)
  const onWait = ({ host, pid }: { host: string; pid: number }) => onProgress({ phase: "wait", host, pid })
  return withInstallLock({ file: path.join(root, LOCK), signal, onWait }, async () => {
    if ((await verify(target)).state === "whole") return { state: "present" }
    await removeLeftovers(root, release)
    await requireSpace(root, release)
    await makeFolder(path.join(root, DOWNLOADS))
    const staging = await fs.mkdtemp(path.join(root, STAGING))
    try {
      await fetchInto(staging, options, signal)
      await fs.rm(target, { recursive: true, force: true })
      await fs.rename(path.join(staging, "lib"), target)
      await fs.rm(path.join(root, DOWNLOADS), { recursive: true, force: true })
    } finally {
      await fs.rm(staging, { recursive: true, force: true })
    }
    return { state: "fetched" }
  })
}

/** Removes what was fetched, also of other versions, and what lies about half fetched. */
export const removeLibrary = (
  cacheDirectory: string,
  kind: Release["kind"],
  onWait: (pid: number) => void
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  stoppable(async (signal) => {
    const root = libraryRoot(cacheDirectory)
    if (!(await exists(root))) return []
    const options = {
      file: path.join(root, LOCK),
      signal,
      onWait: ({ pid }: { pid: number }) => onWait(pid)
    }
    return withInstallLock(options, async () => {
      const names = (await fs.readdir(root)).filter((name) => name.includes(`-${kind}-`))
      for (const name of names) await removeAtOnce(path.join(root, name))
      await removeLeftovers(root, undefined)
      return names.map((name) => path.join(root, name))
    })
  })

/** Out of the way first, so that nobody finds half of it. */
const removeAtOnce = async (folder: string): Promise<void> => {
  const aside = path.join(path.dirname(folder), `${STAGING}${process.pid}-${path.basename(folder)}`)
  await fs.rename(folder, aside)
  await fs.rm(aside, { recursive: true, force: true })
}

const fetchInto = async (staging: string, options: InstallOptions, signal: AbortSignal): Promise<void> => {
  const { release, onProgress } = options
  const archives = await fetchWheels(staging, options, signal)
  const folder = path.join(staging, "lib")
  await fs.mkdir(folder)
  const files: Array<UnpackedFile> = []
  for (const [index, archive] of archives.entries()) {
    const done = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const { wanted } = release.wheels[index]!
    const report = (bytes: number): void =>
      onProgress({ phase: "unpack", bytes: done + bytes, totalBytes: release.unpackedBytes })
    const { prefix } = release
    files.push(...(await unpackWheel({ archive, wanted, prefix, folder, onProgress: report, signal })))
  }
  await writeRecord(folder, files)
}

const fetchWheels = async (
  staging: string,
  { cacheDirectory, onProgress, release }: InstallOptions,
  signal: AbortSignal
): Promise<ReadonlyArray<string>> => {
  const totalBytes = release.wheels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const archives: Array<string> = []
  let done = 0
  for (const wheel of release.wheels) {
    const report = (bytes: number): void => onProgress({ phase: "download", bytes: done + bytes, totalBytes })
    archives.push(await fetchWheel(wheel, { staging, cacheDirectory, report, signal }))
    done += wheel.sizeBytes
    report(0)
  }
  return archives
}

interface Fetching {
  readonly staging: string
  readonly cacheDirectory: string
  readonly report: (bytes: number) => void
  readonly signal: AbortSignal
}

const fetchWheel = async (
  wheel: Wheel,
  { cacheDirectory, report, signal, staging }: Fetching
): Promise<string> => {
  const kept = path.join(libraryRoot(cacheDirectory), DOWNLOADS, wheel.sha256)
  if ((await exists(kept)) && (await digestOf(kept)) === wheel.sha256) return kept
  const folder = await fs.mkdtemp(path.join(staging, "pip-"))
  const fetched = await downloadWheel({ wheel, folder, onProgress: report, signal })
  const sha256 = await digestOf(fetched)
  if (sha256 !== wheel.sha256) {
    throw new NotFetched(
      `the package index gave another ${wheel.requirement.replace("==", " ")} than the one we know: ` +
        `SHA-256 ${sha256} instead of ${wheel.sha256}`
    )
  }
  await fs.rename(fetched, kept)
  return kept
}

/** Whoever holds the lock is alone: what others began, they did not live to finish. */
const removeLeftovers = async (root: string, release: Release | undefined): Promise<void> => {
  for (const name of await fs.readdir(root)) {
    if (name.startsWith(STAGING)) await fs.rm(path.join(root, name), { recursive: true, force: true })
  }
  const needed = new Set(release?.wheels.map(({ sha256 }) => sha256))
  const downloads = path.join(root, DOWNLOADS)
  for (const name of await fs.readdir(downloads).catch(() => [])) {
    if (!needed.has(name)) await fs.rm(path.join(downloads, name), { force: true })
  }
}

/** Wheels and unpacked files lie side by side for a while. */
const requireSpace = async (root: string, { unpackedBytes, wheels }: Release): Promise<void> => {
  const kept = await Promise.all(
    wheels.map(async ({ sha256, sizeBytes }) =>
      (await exists(path.join(root, DOWNLOADS, sha256))) ? 0 : sizeBytes
    )
  )
  const needed = SLACK * (unpackedBytes + kept.reduce((sum, bytes) => sum + bytes, 0))
  const { bavail, bsize } = await fs.statfs(root)
  const free = bavail * bsize
  if (free >= needed) return
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`
  throw new NotFetched(
    `fetching TensorFlow's library needs ${megabytes(needed)} in ${root}, where ${megabytes(free)} are free`
  )
}

/** For what the file system itself needs. */
const SLACK = 1.05

const exists = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false
  )
