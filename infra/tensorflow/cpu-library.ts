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
import { stoppable } from "./stoppable.ts"
import { type Compiler, fetchZig } from "./zig-compiler.ts"

export interface CpuLibraryOptions {
  /** The user's cache; the object goes into a folder `kernels` in it. */
  readonly cacheDirectory: string
  /** Called before this process compiles, which takes every core half a minute. */
  readonly onCompile?: () => void
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

/** Compiles the kernels if that was not done before: half a minute, once. Never fails. */
export const resolveCpuLibrary = (options: CpuLibraryOptions): Effect.Effect<CpuLibrary> =>
  stoppable(async (signal): Promise<CpuLibrary> => {
    const located = locateCpuLibrary(options)
    if (located.kind === "compiled") return located
    const elsewhere = unsupported()
    if (elsewhere !== undefined) return { kind: "absent", reason: elsewhere }
    const file = objectFile(options)
    try {
      await makeFolder(path.dirname(file))
      const lock = { file: `${file}.lock`, signal, onWait: () => undefined }
      return await withInstallLock(lock, () => compile(file, signal, options.onCompile))
    } catch (cause) {
      return { kind: "absent", reason: `our kernels could not be compiled: ${messageOf(cause)}` }
    }
  }).pipe(Effect.orDie)

const sourceFolder = path.join(packageRootOf(import.meta.url), "infra", "tensorflow", "cpu")

const sourcesOf = (ending: string): ReadonlyArray<string> =>
  readdirSync(sourceFolder)
    .filter((name) => name.endsWith(ending))
    .sort()

const FLAGS = [
  "-std=gnu11",
  "-O3",
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

/** What a machine that compiles C has. */
export const compilersAtHand: ReadonlyArray<Compiler> = ["cc", "gcc", "clang"].map((name) => ({
  name,
  command: name,
  arguments: ["-march=native"],
  linking: [],
  environment: {}
}))

const compile = async (
  file: string,
  signal: AbortSignal,
  onCompile: CpuLibraryOptions["onCompile"]
): Promise<CpuLibrary> => {
  if (existsSync(file)) return { kind: "compiled", file }
  onCompile?.()
  await removeLeftovers(file)
  const staging = await fs.mkdtemp(`${file}-`)
  const failures: Array<string> = []
  const attempt = async (compiler: Compiler): Promise<boolean> => {
    try {
      await compileWith(compiler, staging, signal)
      await fs.rename(path.join(staging, "kernels.so"), file)
      return true
    } catch (cause) {
      signal.throwIfAborted()
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
        failures.push(`${compiler.name} refuses them (${firstError(cause)})`)
      }
      return false
    }
  }
  try {
    for (const compiler of compilersAtHand) if (await attempt(compiler)) return { kind: "compiled", file }
    const fetched = path.join(staging, "zig")
    await makeFolder(fetched)
    if (await attempt(await fetchZig(fetched, signal))) return { kind: "compiled", file }
  } catch (cause) {
    signal.throwIfAborted()
    failures.push(`there is no other C compiler, and none could be fetched: ${messageOf(cause)}`)
  } finally {
    await fs.rm(staging, { recursive: true, force: true })
  }
  return { kind: "absent", reason: failures.join("; ") }
}

/** Whoever holds the lock is alone: what others began, they did not live to finish. */
const removeLeftovers = async (file: string): Promise<void> => {
  const folder = path.dirname(file)
  for (const name of await fs.readdir(folder)) {
    if (!name.startsWith(`${path.basename(file)}-`)) continue
    await fs.rm(path.join(folder, name), { recursive: true, force: true })
  }
}

const run = promisify(execFile)

/** Each source by itself, as many at once as there are cores. */
const compileWith = async (compiler: Compiler, staging: string, signal: AbortSignal): Promise<void> => {
  const { arguments: leading, command, environment, linking } = compiler
  const options = { signal, env: { ...process.env, ...environment } }
  const waiting = [...sourcesOf(".c")]
  const objects = waiting.map((name) => path.join(staging, `${name}.o`))
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const object = path.join(staging, `${name}.o`)
      await run(command, [...leading, ...FLAGS, "-c", path.join(sourceFolder, name), "-o", object], options)
    }
  }
  const workers = Array.from({ length: availableParallelism() }, worker)
  try {
    await Promise.all(workers)
  } finally {
    // After a failure the others finish what they are at: the next compiler writes to the same places.
    waiting.length = 0
    await Promise.allSettled(workers)
  }
  // What they call of C's library is in the process already, with TensorFlow.
  const linked = path.join(staging, "kernels.so")
  await run(command, [...leading, ...linking, "-shared", "-o", linked, ...objects], options)
}

const firstError = (cause: unknown): string =>
  messageOf(cause)
    .split("\n")
    .find((line) => /error/i.test(line)) ?? messageOf(cause)
