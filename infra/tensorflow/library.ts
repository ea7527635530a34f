/**
 * Where TensorFlow's library comes from: a folder the user names, the user's cache, a wheel fetched by pip
 * into that cache, or the one an installed tfjs-node brought along. If none is to be had, the portable
 * runtime remains.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { Effect, Schema } from "effect"
import { type FetchProgress, installLibrary } from "./install-library.ts"
import { type Installed, lookAt, releaseFolder } from "./installed.ts"
import { type Machine, thisMachine, unsupported } from "./machine.ts"
import { type Release, releases } from "./releases.ts"

/** The two shared objects of one TensorFlow. */
export interface NativeLibrary {
  readonly kind: "native"
  readonly directory: string
  /** The object that exports the C API, and the framework beneath it. */
  readonly api: string
  readonly framework: string
  /** Why the GPU that is here stays idle: a clause. */
  readonly gpuIdle?: string
}

/** No library on this machine; the reason is a clause fit to follow "because". */
export interface Portable {
  readonly kind: "portable"
  readonly reason: string
}

export interface LibraryOptions {
  /** A folder named by the user; if it holds no library, that is an error and nothing else is tried. */
  readonly directory?: string | undefined
  /** The user's cache; the library goes into a folder `tensorflow` in it. */
  readonly cacheDirectory: string
  /** Forbids fetching. */
  readonly offline?: boolean | undefined
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined
  /** Else this one, with all its GPUs. */
  readonly machine?: Machine
  /** Where they are not ours. */
  readonly releases?: { readonly [kind in Release["kind"]]: Release }
}

/** The folder the user named holds no TensorFlow. */
export class LibraryMissing extends Schema.TaggedError<LibraryMissing>()("LibraryMissing", {
  directory: Schema.String,
  message: Schema.String
}) {}

/** A place where a library may lie. */
export interface Candidate {
  /** What it is called in tables. */
  readonly name: string
  readonly directory: string
  readonly state: Installed["state"]
  /** Whether we fetched it, so that a record says what it has to be. */
  readonly recorded: boolean
  /** Why it does not serve, where it does not: a clause. */
  readonly reason?: string
  readonly library?: NativeLibrary
}

/** All places that are looked at where the user names none, the best first. */
export const candidates = (options: LibraryOptions): ReadonlyArray<Candidate> => {
  const { cpu, gpu } = options.releases ?? releases
  const forCpu = fetched(options, cpu, "")
  // It computes on CPUs, too.
  const forGpu = fetched(options, gpu, " for GPUs")
  const [ofNodeGpu, ofNode] = TFJS_NODE.map(broughtBy) as [Candidate, Candidate]
  if (!hasGpu(options)) return [forCpu, forGpu, ofNodeGpu, ofNode]
  return machineOf(options).hasCuda11
    ? [forGpu, ofNodeGpu, forCpu, ofNode]
    : [forGpu, forCpu, ofNodeGpu, ofNode]
}

/** Looks for a library that is already there: a few look-ups of files, no network. */
export const locateLibrary = Effect.fn("locateLibrary")(function* (
  options: LibraryOptions
): Effect.fn.Return<NativeLibrary | Portable, LibraryMissing> {
  const { directory } = options
  if (directory !== undefined) return yield* named(directory)
  const reason = unsupported(machineOf(options))
  if (reason !== undefined) return { kind: "portable", reason }
  const places = candidates(options)
  const found = places.find(({ library }) => library !== undefined)?.library
  const damaged = places.find(({ state }) => state === "damaged")?.reason
  return found ?? { kind: "portable", reason: damaged ?? "TensorFlow's library has not been fetched yet" }
})

/**
 * The library to use, fetched if need be, once a machine: 274 MB, or 2.5 GB where an NVIDIA GPU is. Decides
 * within about 10 s that it cannot be fetched, and then answers another one that is there, or `Portable` with
 * the reason.
 */
export const resolveLibrary = Effect.fn("resolveLibrary")(function* (
  options: LibraryOptions
): Effect.fn.Return<NativeLibrary | Portable, LibraryMissing> {
  const located = yield* locateLibrary(options)
  if (options.directory !== undefined || unsupported(machineOf(options)) !== undefined) return located
  const { cpu, gpu } = options.releases ?? releases
  if (hasGpu(options)) {
    const gpuIdle = yield* fetchMissing(gpu, options)
    if (gpuIdle === undefined) return yield* locateLibrary(options)
    const other = yield* withRelease(cpu, options)
    return other.kind === "native" && !isForGpu(other) ? { ...other, gpuIdle } : other
  }
  // The one for GPUs computes on CPUs, too.
  return isWhole(gpu, options) ? located : yield* withRelease(cpu, options)
})

/** What there is once the release was fetched, or why that was not possible. */
const withRelease = Effect.fnUntraced(function* (
  release: Release,
  options: LibraryOptions
): Effect.fn.Return<NativeLibrary | Portable, LibraryMissing> {
  const failure = yield* fetchMissing(release, options)
  const found = yield* locateLibrary(options)
  return found.kind === "portable" && failure !== undefined ? { kind: "portable", reason: failure } : found
})

const isWhole = (release: Release, { cacheDirectory }: LibraryOptions): boolean =>
  lookAt(releaseFolder(cacheDirectory, release)).state === "whole"

/** Answers why it is not there now, if it is not. */
const fetchMissing = Effect.fnUntraced(function* (
  release: Release,
  options: LibraryOptions
): Effect.fn.Return<string | undefined> {
  if (isWhole(release, options)) return undefined
  if (options.offline === true) return "fetching is switched off"
  const { cacheDirectory, onProgress = () => {} } = options
  const outcome = yield* installLibrary({ cacheDirectory, release, onProgress })
  return outcome.state === "failed" ? outcome.reason : undefined
})

const machineOf = ({ machine = thisMachine(undefined) }: LibraryOptions): Machine => machine

/** Whether a GPU is here that a library could use. */
export const hasGpu = (options: LibraryOptions): boolean => machineOf(options).gpu.state === "usable"

const named = (directory: string): Effect.Effect<NativeLibrary, LibraryMissing> => {
  const found = libraryIn(directory)
  return found === undefined
    ? Effect.fail(
        new LibraryMissing({
          directory,
          message:
            `The folder given for TensorFlow, ${directory}, does not hold ${FRAMEWORK} together with ` +
            `${API_NAMES.join(" or ")}. Name the folder they lie in, or none to have the library fetched`
        })
      )
    : Effect.succeed(found)
}

const FRAMEWORK = "libtensorflow_framework.so.2"
/** The C API lies in the first in C releases (and tfjs-node), in the second in Python's wheels. */
const API_NAMES = ["libtensorflow.so.2", "libtensorflow_cc.so.2"]

const libraryIn = (directory: string): NativeLibrary | undefined => {
  const framework = path.join(directory, FRAMEWORK)
  const api = API_NAMES.map((name) => path.join(directory, name)).find(existsSync)
  if (api === undefined || !existsSync(framework)) return undefined
  return { kind: "native", directory, api, framework }
}

const fetched = ({ cacheDirectory }: LibraryOptions, release: Release, suffix: string): Candidate => {
  const folder = releaseFolder(cacheDirectory, release)
  const found = lookAt(folder)
  const name = `TensorFlow ${release.version}${suffix}`
  const place = { name, directory: folder, state: found.state, recorded: true }
  if (found.state === "absent") return { ...place, reason: "it has not been fetched" }
  if (found.state === "damaged") return { ...place, reason: found.reason }
  const library = libraryIn(path.join(folder, release.libraryFolder))
  return library === undefined ? { ...place, reason: "it holds no library" } : { ...place, library }
}

const TFJS_NODE = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"]

const isForGpu = ({ directory }: NativeLibrary): boolean => /tfjs-node-gpu/.test(directory)

/** libtensorflow 2.9.1, older than what we fetch: taken if nothing newer can be had. */
const broughtBy = (packageName: string): Candidate => {
  const place = { name: `libtensorflow of ${packageName}`, recorded: false }
  try {
    const { resolve } = createRequire(import.meta.url)
    const directory = path.join(path.dirname(resolve(`${packageName}/package.json`)), "deps", "lib")
    const library = libraryIn(directory)
    if (library !== undefined) return { ...place, directory, state: "whole", library }
    return { ...place, directory, state: "absent", reason: "its installer has not fetched it" }
  } catch {
    return { ...place, directory: "", state: "absent", reason: "the package is not installed" }
  }
}
