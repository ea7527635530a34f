/** What the processor can do, how it is shared, and whether our own kernels serve it. */
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { promisify } from "node:util"
import { Effect } from "effect"
import { numPoolThreads } from "../executors/childEnvironment.ts"
import type { SettingsValue } from "../settings.ts"
import { compilersAtHand, locateCpuLibrary } from "../tensorflow/cpu-library.ts"
import { type Finding, ok, warn } from "./finding.ts"

/** What speeds training up, the least first; by Linux's names in `/proc/cpuinfo`. */
const instructionSets: ReadonlyArray<readonly [name: string, flags: ReadonlyArray<string>]> = [
  ["AVX2", ["avx2"]],
  ["AVX-512", ["avx512f"]],
  ["VNNI", ["avx512_vnni", "avx_vnni"]],
  ["AVX-512 BF16", ["avx512_bf16"]],
  ["AMX BF16", ["amx_bf16"]]
]

/** From the text of `/proc/cpuinfo`. */
export const cpuFinding = (cpuinfo: string): Finding => {
  const field = (name: string): string =>
    new RegExp(`^${name}\\s*: (.*)$`, "m").exec(cpuinfo)?.[1]?.trim() ?? ""
  const flags = new Set(field("flags").split(" "))
  const has = instructionSets.filter(([, names]) => names.some((name) => flags.has(name)))
  const lacks = instructionSets.filter((set) => !has.includes(set))
  const names = (sets: typeof instructionSets): string => sets.map(([name]) => name).join(", ")
  const missing = lacks.length === 0 ? "" : `${has.length === 0 ? "" : "; "}no ${names(lacks)}`
  const text = `${field("model name") || "an unknown processor"}: ${names(has)}${missing}`
  return flags.has("avx2")
    ? ok("cpu", text)
    : warn(
        "cpu",
        text,
        "Training will be slow; a processor with AVX2 (2013 and later) is several times faster"
      )
}

const cpuCheck: Effect.Effect<Finding> = Effect.promise(async () => {
  try {
    return cpuFinding(await readFile("/proc/cpuinfo", "utf8"))
  } catch {
    return ok("cpu", `${process.arch}; what it can do is not known on ${process.platform}`)
  }
})

const run = promisify(execFile)

const compilerHere = async (): Promise<string | undefined> => {
  for (const { command } of compilersAtHand) {
    try {
      const { stdout } = await run(command, ["--version"], { timeout: 10_000 })
      return `${command} (${stdout.split("\n")[0]})`
    } catch {
      // The next one may be there.
    }
  }
  return undefined
}

const kernelsCheck = ({ cacheDir, kernels }: SettingsValue): Effect.Effect<Finding> =>
  Effect.promise(async () => {
    if (kernels === "stock") return ok("kernels", "TensorFlow's own, as DISTILLERY_KERNELS asks")
    const located = locateCpuLibrary({ cacheDirectory: cacheDir })
    if (located.kind === "compiled") return ok("kernels", `ours, compiled: ${located.file}`)
    const compiler = await compilerHere()
    return ok(
      "kernels",
      compiler === undefined
        ? "no C compiler here: the first run fetches Zig's by pip (101 MB) and compiles ours, or says why not"
        : `${compiler} will compile ours in the first run`
    )
  })

const threadsCheck = ({ concurrency, threads }: SettingsValue): Finding => {
  const cores = availableParallelism()
  const text =
    `${threads} of ${cores} CPUs compute one operation at a time, ${numPoolThreads(threads)} threads ` +
    `read and decode images, each by itself; ${concurrency} light jobs at once`
  return threads > cores
    ? warn("threads", text, "More threads than CPUs are slower: lower DISTILLERY_THREADS")
    : ok("threads", text)
}

export const cpuChecks = (settings: SettingsValue): ReadonlyArray<Effect.Effect<Finding>> => [
  cpuCheck,
  Effect.succeed(threadsCheck(settings)),
  kernelsCheck(settings)
]
