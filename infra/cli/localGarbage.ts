/** What piles up in a project beside its store: built code, and the logs of runs. */
import { readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { logFile, loggedRuns } from "../reporting/readEventLog.ts"
import type { SettingsValue } from "../settings.ts"
import { runLogFolder } from "./runs.ts"

export interface LocalFile {
  readonly file: string
  readonly kind: "code" | "log"
  readonly sizeBytes: number
}

/** Sizes of those not written, nor read, since then; systems write down the reading of a file once a day. */
const unused = async (
  files: ReadonlyArray<string>,
  kind: LocalFile["kind"],
  cutoff: number
): Promise<ReadonlyArray<LocalFile>> => {
  const found = await Promise.all(
    files.map(async (file) => {
      const stats = await stat(file).catch(() => undefined)
      if (stats === undefined || !stats.isFile()) return []
      return Math.max(stats.mtimeMs, stats.atimeMs) < cutoff ? [{ file, kind, sizeBytes: stats.size }] : []
    })
  )
  return found.flat()
}

/** All of it can be made again, or is past use. Logs of the latest `keepRuns` runs stay. */
export const findLocalGarbage = async (
  settings: SettingsValue,
  options: { readonly graceMillis: number; readonly keepRuns: number }
): Promise<ReadonlyArray<LocalFile>> => {
  const cutoff = Date.now() - options.graceMillis
  const codeFolder = join(settings.projectDir, ".distillery", "code")
  const entries = await readdir(codeFolder, { recursive: true }).catch(() => [])
  const logs = runLogFolder(settings)
  const runs = await loggedRuns(logs)
  const old = runs.slice(0, Math.max(0, runs.length - options.keepRuns))
  const code = entries.map((entry) => join(codeFolder, entry))
  return [
    ...(await unused(code, "code", cutoff)),
    ...(await unused(
      old.map((runId) => logFile(logs, runId)),
      "log",
      cutoff
    ))
  ]
}

export const removeLocal = async (files: ReadonlyArray<LocalFile>): Promise<void> => {
  for (const { file } of files) await rm(file, { force: true })
}
