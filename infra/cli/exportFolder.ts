/** The folder of an export: written beside its place and moved there whole. */
import { randomUUID } from "node:crypto"
import { existsSync, readdirSync, statSync } from "node:fs"
import { readdir, rename, rm, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { basename, dirname, join } from "node:path"
import { Effect, Schema } from "effect"
import type { ExportedFile } from "../../lib/export/ExportedFile.ts"
import { processExists } from "../processExists.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { UsageError } from "./errors.ts"
import { cardFile } from "./ModelCard.ts"

export class ExportNotWritten extends Schema.TaggedError<ExportNotWritten>()("ExportNotWritten", {
  folder: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    const what = `The export could not be written to ${this.folder}: ${this.reason}.`
    return `${what} Name another folder by --output.`
  }
}

const writing = <A>(folder: string, write: () => Promise<A>): Effect.Effect<A, ExportNotWritten> =>
  Effect.tryPromise({
    try: write,
    catch: (error) => new ExportNotWritten({ folder, reason: (error as Error).message })
  })

/** Fails where something lies there that is not to be replaced: only an export ever is. */
export const checkFolder = (folder: string, force: boolean): Effect.Effect<void, UsageError> =>
  Effect.suspend(() => {
    if (!existsSync(folder)) return Effect.void
    if (!statSync(folder).isDirectory()) {
      return Effect.fail(new UsageError({ what: `${folder} is a file`, fix: "Name a folder by --output" }))
    }
    const names = readdirSync(folder)
    if (names.length === 0) return Effect.void
    if (!names.includes(cardFile)) {
      const what = `${folder} holds files that are no export of ours`
      return Effect.fail(new UsageError({ what, fix: "Name another folder by --output" }))
    }
    if (force) return Effect.void
    const what = `an export lies in ${folder} already`
    return Effect.fail(
      new UsageError({ what, fix: "Replace it by --force, or name another folder by --output" })
    )
  })

/**
 * A folder beside `folder` for as long as `use` runs, moved to its place if that succeeds and removed
 * otherwise. What lay there before is gone only when the new one stands.
 */
export const inNewFolder = <A, E, R>(
  folder: string,
  use: (temporary: string) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | ExportNotWritten, R> => {
  const beside = (ending: string) =>
    join(dirname(folder), `${besideName(folder)}${process.pid}-${randomUUID()}.${ending}`)
  const temporary = beside("tmp")
  return Effect.acquireUseRelease(
    writing(folder, async () => {
      await removeLeftovers(folder)
      await makeFolder(temporary)
    }),
    () => Effect.tap(use(temporary), () => writing(folder, () => replace(folder, temporary, beside("old")))),
    () => Effect.promise(() => rm(temporary, { recursive: true, force: true }))
  )
}

/** What the names of folders beside it begin with; a process id follows. */
const besideName = (folder: string): string => `.${basename(folder)}-${hostname()}-`

/** Folders of exports to the same place whose processes were killed. */
const removeLeftovers = async (folder: string): Promise<void> => {
  const parent = dirname(folder)
  if (!existsSync(parent)) return
  const start = besideName(folder)
  for (const name of await readdir(parent)) {
    if (!name.startsWith(start)) continue
    const [, pid] = /^(\d+)-[0-9a-f-]{36}\.(?:tmp|old)$/.exec(name.slice(start.length)) ?? []
    if (pid !== undefined && !processExists(Number(pid))) {
      await rm(join(parent, name), { recursive: true, force: true })
    }
  }
}

const replace = async (folder: string, temporary: string, aside: string): Promise<void> => {
  if (existsSync(folder)) await rename(folder, aside)
  await rename(temporary, folder)
  await rm(aside, { recursive: true, force: true })
}

/** `folder` is named where one cannot be written. */
export const writeFiles = (
  folder: string,
  files: ReadonlyArray<ExportedFile>
): Effect.Effect<void, ExportNotWritten> =>
  Effect.forEach(
    files,
    ({ bytes, path }) =>
      writing(folder, async () => {
        const file = join(folder, path)
        await makeFolder(dirname(file))
        await writeFile(file, bytes)
      }),
    { discard: true }
  )
