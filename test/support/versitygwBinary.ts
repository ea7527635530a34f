/** The binary of versitygw: built once by go, kept in the user's cache. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, rename, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { withInstallLock } from "../../infra/tensorflow/install-lock.ts"

const source = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache")
const folder = join(cache, "distillery", "tools", "bin")
/** A program that tests use where it is there. */
export const toolFile = (name: string): string => join(folder, name)
export const binary = toolFile("versitygw")

/** Resolves to the exit code; `null` where it was killed or never started. */
export const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    child.on("error", () => resolve(null))
    child.on("close", resolve)
  })

const installMillisMax = 600_000

/** Makes the binary where go is there. A minute and more the first time, nothing after; never fails. */
export const installVersitygw = (): Promise<void> =>
  existsSync(binary)
    ? Promise.resolve()
    : install().catch((error: unknown) => console.warn(`tests on S3 are skipped: ${error}`))

const install = async (): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const abort = AbortSignal.timeout(installMillisMax)
  const lock = { file: join(folder, "versitygw.lock"), signal: abort, onWait: () => undefined }
  await withInstallLock(lock, async () => {
    if (existsSync(binary)) return
    const building = join(folder, `building-${process.pid}`)
    console.log("building versitygw into the cache, once: about a minute")
    const environment = { ...process.env, CGO_ENABLED: "0", GOBIN: building }
    const options = { env: environment, cwd: folder, stdio: "ignore", signal: abort } as const
    const code = await ended(spawn("go", ["install", source], options))
    if (code === 0) await rename(join(building, "versitygw"), binary)
    await rm(building, { recursive: true, force: true })
    if (code !== 0) throw new Error("versitygw could not be built by go")
  })
}
