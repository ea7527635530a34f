/**
 * ONNX Runtime for Node, installed by npm into the user's cache: with its libraries for all systems it is too
 * large (290 MB) for the dependencies of this package.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { withInstallLock } from "../../infra/tensorflow/install-lock.ts"
import { cacheFolder } from "../../infra/userFolders.ts"

const version = "1.30.0"
const folder = join(cacheFolder(process.env), "tools", `onnxruntime-node-${version}`)
const installMillisMax = 300_000

/** Its install script would fetch libraries for CUDA; those for CPUs are in the package. */
const install = async (): Promise<void> => {
  await mkdir(join(folder, ".."), { recursive: true })
  const signal = AbortSignal.timeout(installMillisMax)
  await withInstallLock({ file: `${folder}.lock`, signal, onWait: () => undefined }, async () => {
    if (existsSync(folder)) return
    const staging = `${folder}-${process.pid}`
    await mkdir(staging)
    await writeFile(join(staging, "package.json"), '{ "private": true }')
    const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", `onnxruntime-node@${version}`]
    await promisify(execFile)("npm", args, { cwd: staging, signal })
    await rename(staging, folder).catch(() => rm(staging, { recursive: true, force: true }))
  })
}

/** A project that has it, or why there is none. */
export const onnxRuntime: { readonly projectDir: string; readonly skipped: string } = await install().then(
  () => ({ projectDir: folder, skipped: "" }),
  (cause: unknown) => ({
    projectDir: process.cwd(),
    skipped: ` (ONNX skipped: ${(cause as Error).message.split("\n")[0]})`
  })
)
