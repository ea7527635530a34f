/** A file inside a Debian package, through apt's own verified download; nothing is installed. */
import { type ExecFileException, execFile } from "node:child_process"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { memberOfBytes } from "./archive.ts"
import { causeText, type LocationFailed, locationFailed } from "./LocationFailed.ts"

export interface DebianOptions {
  readonly timeoutMillis: number
  readonly maxBytes: number
}

const failureOf = (command: string, cause: ExecFileException, stderr: Buffer, options: DebianOptions) => {
  if (cause.code === "ENOENT") return locationFailed(`${command} is not on this machine`)
  if (cause.killed) return locationFailed(`${command} took longer than ${options.timeoutMillis / 1000} s`)
  const lines = stderr.toString().split("\n")
  const last = lines.filter((line) => line !== "" && !line.startsWith("W:")).at(-1)
  return locationFailed(`${command}: ${last ?? causeText(cause)}`)
}

/** Runs a program and returns its standard output. */
const execute = (command: string, args: ReadonlyArray<string>, cwd: string, options: DebianOptions) =>
  Effect.callback<Uint8Array, LocationFailed>((resume) => {
    const child = execFile(
      command,
      args,
      { cwd, encoding: "buffer", timeout: options.timeoutMillis, maxBuffer: options.maxBytes },
      (cause, stdout, stderr) =>
        resume(
          cause === null ? Effect.succeed(stdout) : Effect.fail(failureOf(command, cause, stderr, options))
        )
    )
    return Effect.sync(() => void child.kill())
  })

/** apt gives up soon: without network the next location should have its turn within seconds. */
const aptOptions = ["-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10"]

const unpack = Effect.fnUntraced(function* (
  folder: string,
  name: string,
  path: string,
  options: DebianOptions
) {
  yield* execute("apt-get", [...aptOptions, "download", name], folder, options)
  const files = yield* Effect.promise(() => readdir(folder))
  const archive = files.find((file) => file.endsWith(".deb"))
  if (archive === undefined) return yield* locationFailed(`apt-get left no package "${name}" behind`)
  const tar = yield* execute("dpkg-deb", ["--fsys-tarfile", archive], folder, options)
  return yield* memberOfBytes(`package ${name}`, tar, path.replace(/^\//, ""))
})

/** Downloads the package into a temporary folder and takes `path` out of it. */
export const readDebian = (
  name: string,
  path: string,
  options: DebianOptions
): Effect.Effect<Uint8Array, LocationFailed> =>
  Effect.acquireUseRelease(
    Effect.tryPromise({
      try: () => mkdtemp(join(tmpdir(), "distillery-apt-")),
      catch: (cause) => locationFailed(causeText(cause))
    }),
    (folder) => unpack(folder, name, path, options),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )
