/** What piles up in a project beside its store: built code, and the logs of runs. */
import { readdir, readFile, rm, stat } from "node:fs/promises"
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

const bundleName = /[0-9a-f]{64}\.mjs/g

/** Bundles of code that was edited since: no record of what is known of today's code names them. */
const supersededCode = async (codeFolder: string): Promise<ReadonlyArray<string>> => {
  const records = await readdir(join(codeFolder, "known")).catch(() => [])
  const texts = await Promise.all(
    records.map((name) => readFile(join(codeFolder, "known", name), "utf8").catch(() => ""))
  )
  const named = new Set(texts.flatMap((text) => text.match(bundleName) ?? []))
  const entries = await readdir(codeFolder).catch(() => [])
  return entries.filter((name) => {
    const [bundle] = name.match(bundleName) ?? []
    return bundle !== undefined && !named.has(bundle)
  })
}

/** A run may have been planned just before its code was edited. */
const codeMillisMin = 3_600_000

/** What is past use. Logs of the latest `keepRuns` runs stay. */
export const findLocalGarbage = async (
  settings: SettingsValue,
  options: { readonly graceMillis: number; readonly keepRuns: number }
): Promise<ReadonlyArray<LocalFile>> => {
  const now = Date.now()
  const codeFolder = join(settings.projectDir, ".distillery", "code")
  const superseded = await supersededCode(codeFolder)
  const logs = runLogFolder(settings)
  const runs = await loggedRuns(logs)
  const old = runs.slice(0, Math.max(0, runs.length - options.keepRuns))
  const code = superseded.map((name) => join(codeFolder, name))
  const logFiles = old.map((runId) => logFile(logs, runId))
  return [
    ...(await unused(code, "code", now - Math.max(options.graceMillis, codeMillisMin))),
    ...(await unused(logFiles, "log", now - options.graceMillis))
  ]
}

export const removeLocal = async (files: ReadonlyArray<LocalFile>): Promise<void> => {
  for (const { file } of files) await rm(file, { force: true })
}
