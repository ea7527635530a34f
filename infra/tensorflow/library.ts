/**
 * Where TensorFlow's library comes from: a folder the user names, the user's cache, a wheel fetched by pip
 * into that cache, or the one an installed tfjs-node brought along. If none is to be had, the portable
 * runtime remains.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import process from "node:process"
import { Effect, Schema } from "effect"
import { type FetchProgress, installedDirectory, installLibrary } from "./install-library.ts"

/** The two shared objects of one TensorFlow. */
export interface NativeLibrary {
  readonly kind: "native"
  readonly directory: string
  /** The object that exports the C API, and the framework beneath it. */
  readonly api: string
  readonly framework: string
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
}

/** The folder the user named holds no TensorFlow. */
export class LibraryMissing extends Schema.TaggedError<LibraryMissing>()("LibraryMissing", {
  directory: Schema.String,
  message: Schema.String
}) {}

/** Looks for a library that is already there: a few look-ups of files, no network. */
export const locateLibrary = Effect.fn("locateLibrary")(function* (
  options: LibraryOptions
): Effect.fn.Return<NativeLibrary | Portable, LibraryMissing> {
  const { directory } = options
  if (directory !== undefined) {
    const named = libraryIn(directory)
    if (named !== undefined) return named
    return yield* new LibraryMissing({
      directory,
      message:
        `The folder given for TensorFlow, ${directory}, does not hold ${FRAMEWORK} together with ` +
        `${API_NAMES.join(" or ")}. Name the folder they lie in, or none to have the library fetched`
    })
  }
  const unsupported = unsupportedPlatform()
  if (unsupported !== undefined) return { kind: "portable", reason: unsupported }
  const found = libraryIn(installedDirectory(options.cacheDirectory)) ?? libraryOfTfjsNode()
  return found ?? { kind: "portable", reason: "TensorFlow's library has not been fetched yet" }
})

/**
 * The library to use, fetched if need be (some 274 MB, once a machine). Decides within about 5 s that it
 * cannot be fetched, and then answers `Portable` with the reason.
 */
export const resolveLibrary = Effect.fn("resolveLibrary")(function* (
  options: LibraryOptions
): Effect.fn.Return<NativeLibrary | Portable, LibraryMissing> {
  const located = yield* locateLibrary(options)
  if (located.kind === "native" && located.directory !== libraryOfTfjsNode()?.directory) return located
  const unsupported = unsupportedPlatform()
  if (unsupported !== undefined) return { kind: "portable", reason: unsupported }
  if (options.offline === true) {
    return located.kind === "native" ? located : { kind: "portable", reason: "fetching is switched off" }
  }
  const outcome = yield* installLibrary(options.cacheDirectory, options.onProgress ?? (() => {}))
  const installed = libraryIn(installedDirectory(options.cacheDirectory))
  if (installed !== undefined) return installed
  return located.kind === "native" ? located : { kind: "portable", reason: outcome.reason }
})

const FRAMEWORK = "libtensorflow_framework.so.2"
/** The C API lies in the first in C releases (and tfjs-node), in the second in Python's wheels. */
const API_NAMES = ["libtensorflow.so.2", "libtensorflow_cc.so.2"]

const libraryIn = (directory: string): NativeLibrary | undefined => {
  const framework = path.join(directory, FRAMEWORK)
  const api = API_NAMES.map((name) => path.join(directory, name)).find(existsSync)
  if (api === undefined || !existsSync(framework)) return undefined
  return { kind: "native", directory, api, framework }
}

/** libtensorflow 2.9.1, older than what we fetch: taken if nothing newer can be had. */
const libraryOfTfjsNode = (): NativeLibrary | undefined => {
  const { resolve } = createRequire(import.meta.url)
  for (const name of ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"]) {
    try {
      const found = libraryIn(path.join(path.dirname(resolve(`${name}/package.json`)), "deps", "lib"))
      if (found !== undefined) return found
    } catch {
      // Not installed, which is the usual case.
    }
  }
  return undefined
}

const unsupportedPlatform = (): string | undefined => {
  if (process.platform !== "linux" || process.arch !== "x64") {
    const here = `${process.platform} on ${process.arch}`
    return `TensorFlow is fetched for Linux on x86-64 only, and this is ${here}`
  }
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime === undefined
    ? "TensorFlow's library needs glibc, and this system has another C library"
    : undefined
}
