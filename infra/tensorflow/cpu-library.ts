/**
 * Our kernels for CPUs, compiled where they run: `cpu/*.c` becomes a shared object in the user's cache, made
 * for the instructions that this machine has. Without a compiler TensorFlow's own kernels serve.
 */
import { execFile } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import * as fs from "node:fs/promises"
import { availableParallelism } from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import { Effect } from "effect"
import { packageRootOf } from "../code/packageRoot.ts"
import { sha256 } from "../files/hashFile.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { withInstallLock } from "./install-lock.ts"
import { messageOf } from "./messageOf.ts"

export interface CpuLibraryOptions {
  /** The user's cache; the object goes into a folder `kernels` in it. */
  readonly cacheDirectory: string
}

/** A compiled library, or a clause fit to follow "because". */
export type CpuLibrary =
  | { readonly kind: "compiled"; readonly file: string }
  | { readonly kind: "absent"; readonly reason: string }

/** Looks for what was compiled earlier. */
export const locateCpuLibrary = (options: CpuLibraryOptions): CpuLibrary => {
  const file = objectFile(options)
  return existsSync(file)
    ? { kind: "compiled", file }
    : { kind: "absent", reason: "our kernels have not been compiled yet" }
}

/** Compiles the kernels if that was not done before: some seconds, once. Never fails. */
export const resolveCpuLibrary = (options: CpuLibraryOptions): Effect.Effect<CpuLibrary> =>
  Effect.promise(async (signal): Promise<CpuLibrary> => {
    const located = locateCpuLibrary(options)
    if (located.kind === "compiled" || unsupported() !== undefined) return located
    const file = objectFile(options)
    try {
      await makeFolder(path.dirname(file))
      const lock = { file: `${file}.lock`, signal, onWait: () => undefined }
      return await withInstallLock(lock, () => compile(file, signal))
    } catch (cause) {
      return { kind: "absent", reason: `our kernels could not be compiled: ${messageOf(cause)}` }
    }
  })

const sourceFolder = path.join(packageRootOf(import.meta.url), "infra", "tensorflow", "cpu")

const sourcesOf = (ending: string): ReadonlyArray<string> =>
  readdirSync(sourceFolder)
    .filter((name) => name.endsWith(ending))
    .sort()

const FLAGS = [
  "-std=gnu11",
  "-O3",
  "-march=native",
  "-fPIC",
  // No results depend on errno or on traps; sums keep their order.
  "-fno-math-errno",
  "-fno-trapping-math",
  "-ffp-contract=fast"
]

/** What the object depends on; a cache may be shared by machines with other instructions. */
const identity = (): string => {
  const sources = sourcesOf(".h").concat(sourcesOf(".c"))
  const texts = sources.map((name) => `${name}\n${readFileSync(path.join(sourceFolder, name), "utf8")}`)
  return sha256(Buffer.from([...FLAGS, instructions(), ...texts].join("\n"))).slice(0, 16)
}

const instructions = (): string => {
  try {
    return /^flags\s*:.*$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[0] ?? ""
  } catch {
    return ""
  }
}

const objectFile = ({ cacheDirectory }: CpuLibraryOptions): string =>
  path.join(cacheDirectory, "kernels", `${identity()}.so`)

/** What the kernels are written for, and their threads. */
const unsupported = (): string | undefined =>
  process.platform === "linux" && process.arch === "x64" ? undefined : "our kernels are for Linux on x86-64"

const COMPILERS = ["cc", "gcc", "clang"]

const compile = async (file: string, signal: AbortSignal): Promise<CpuLibrary> => {
  if (existsSync(file)) return { kind: "compiled", file }
  const staging = await fs.mkdtemp(`${file}-`)
  let failure = "there is no C compiler"
  try {
    for (const compiler of COMPILERS) {
      try {
        await compileWith([compiler], staging, signal)
        await fs.rename(path.join(staging, "kernels.so"), file)
        return { kind: "compiled", file }
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "ENOENT") failure = `${compiler}: ${firstError(cause)}`
      }
    }
  } finally {
    await fs.rm(staging, { recursive: true, force: true })
  }
  return { kind: "absent", reason: failure }
}

const run = promisify(execFile)

/** Each source by itself, as many at once as there are cores. */
const compileWith = async (
  [command = "", ...prefix]: ReadonlyArray<string>,
  staging: string,
  signal: AbortSignal
): Promise<void> => {
  const waiting = [...sourcesOf(".c")]
  const objects = waiting.map((name) => path.join(staging, `${name}.o`))
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const arguments_ = [...prefix, ...FLAGS, "-c", path.join(sourceFolder, name)]
      await run(command, [...arguments_, "-o", path.join(staging, `${name}.o`)], { signal })
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  const linked = path.join(staging, "kernels.so")
  await run(command, [...prefix, "-shared", "-o", linked, ...objects, "-lpthread", "-lm"], { signal })
}

const firstError = (cause: unknown): string =>
  messageOf(cause)
    .split("\n")
    .find((line) => /error/i.test(line)) ?? messageOf(cause)
