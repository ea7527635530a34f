/** The package as `npm pack` makes it, and processes in folders that use it. */
import { execFile } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"

declare module "vitest" {
  interface ProvidedContext {
    /** The packed working tree; made by `globalSetup.ts` where a test that asks for it is run. */
    readonly tarball: string
  }
}

export const packageRoot = join(import.meta.dirname, "../..")
export const ownTools = join(packageRoot, "node_modules", ".bin")

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CallOptions {
  /** Default: this process's, our tools first in `PATH`. */
  readonly environment?: { readonly [name: string]: string | undefined }
}

/** Runs a program until it ends by itself. */
export const call = (
  folder: string,
  [command, ...args]: readonly [string, ...ReadonlyArray<string>],
  { environment }: CallOptions = {}
): Promise<Ended> => {
  const ours = { ...process.env, PATH: [ownTools, process.env.PATH].join(delimiter) }
  const options = { cwd: folder, env: environment ?? ours, maxBuffer: 2 ** 26 }
  return promisify(execFile)(command, args, options).then(
    ({ stderr, stdout }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code ?? -1, stdout: error.stdout ?? "", stderr: error.stderr || String(error) })
  )
}

/** Packs the working tree, its build included, into a folder of its own; resolves to the tarball. */
export const packPackage = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "distillery-pack-"))
  const { code, stderr } = await call(packageRoot, ["npm", "pack", "--pack-destination", folder])
  if (code !== 0) throw new Error(`npm pack failed: ${stderr}`)
  const [tarball] = await readdir(folder)
  return join(folder, tarball!)
}
