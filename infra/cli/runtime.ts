/** `distillery runtime` */
import { Effect } from "effect"
import { libraryOptions } from "../capabilities.ts"
import { bytes } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read, type SettingsValue } from "../settings.ts"
import { installLibrary, removeLibrary } from "../tensorflow/install-library.ts"
import { lookAt, releaseFolder, verify } from "../tensorflow/installed.ts"
import { type Candidate, candidates, locateLibrary } from "../tensorflow/library.ts"
import { unsupported } from "../tensorflow/machine.ts"
import { releases } from "../tensorflow/releases.ts"
import { AlreadyReported, exitCodes, UsageError } from "./errors.ts"
import { Output, printJson } from "./Output.ts"
import { progressNotices } from "./runtimeNotices.ts"

interface KindFlags {
  readonly gpu: boolean
  readonly json: boolean
}

const releaseFor = ({ gpu }: KindFlags) => (gpu ? releases.gpu : releases.cpu)

export const install = Effect.fn("runtime.install")(function* (flags: KindFlags) {
  const { paint, print, tell } = yield* Output
  const settings = yield* read
  const reason = unsupported(libraryOptions(settings).machine)
  if (reason !== undefined) {
    const fix = "The portable runtime serves here, with nothing to fetch"
    return yield* new UsageError({ what: `there is no library to fetch, because ${reason}`, fix })
  }
  const { cacheDir: cacheDirectory } = settings
  const release = releaseFor(flags)
  const onProgress = progressNotices((line) => tell([line]))
  const outcome = yield* installLibrary({ cacheDirectory, release, onProgress })
  const folder = releaseFolder(cacheDirectory, release)
  if (flags.json) yield* printJson({ schemaVersion: 1, folder, ...outcome })
  if (outcome.state === "failed") {
    yield* tell([
      `${paint.red("error")}: TensorFlow ${release.version} was not fetched, ` +
        `because ${oneLine(outcome.reason)}`,
      "  What was fetched whole is kept: the next attempt goes on from there"
    ])
    return yield* new AlreadyReported({ exitCode: exitCodes.failed })
  }
  if (flags.json) return
  const found = lookAt(folder)
  const size = found.state === "whole" ? `, ${bytes(found.sizeBytes)}` : ""
  const what = outcome.state === "fetched" ? "was fetched into" : "is there already, and whole:"
  yield* print([`TensorFlow ${release.version} ${what} ${folder}${size}`])
})

export const remove = Effect.fn("runtime.remove")(function* (flags: KindFlags) {
  const { print, tell } = yield* Output
  const { cacheDir } = yield* read
  const onWait = (pid: number): void =>
    void Effect.runFork(tell([`waiting for process ${pid}, which is fetching the library`]))
  const removed = yield* removeLibrary(cacheDir, releaseFor(flags).kind, onWait).pipe(
    Effect.mapError((cause) => {
      const why = String((cause as Error).message ?? cause)
      return new UsageError({ what: "the library cannot be removed", why, fix: `Remove it from ${cacheDir}` })
    })
  )
  if (flags.json) return yield* printJson({ schemaVersion: 1, removed })
  yield* print(removed.length === 0 ? ["Nothing was fetched."] : removed.map((folder) => `removed ${folder}`))
})

interface ListedLibrary extends Omit<Candidate, "library"> {
  readonly serves: boolean
  readonly sizeBytes?: number
}

/** What the user names stands first, as nothing else is looked at then. */
const placesOf = Effect.fnUntraced(function* (settings: SettingsValue, reads: boolean) {
  const options = libraryOptions(settings)
  const located = yield* Effect.result(locateLibrary(options))
  const chosen =
    located._tag === "Success" && located.success.kind === "native" && settings.backend !== "portable"
      ? located.success.directory
      : undefined
  const named: ReadonlyArray<Candidate> =
    options.directory === undefined
      ? []
      : [
          {
            name: "DISTILLERY_TENSORFLOW",
            directory: options.directory,
            recorded: false,
            ...(located._tag === "Success"
              ? { state: "whole" as const }
              : { state: "absent" as const, reason: "it holds no TensorFlow" })
          }
        ]
  const places = [...named, ...candidates(options)]
  return yield* Effect.forEach(places, (place) => Effect.promise(() => listed(place, chosen, reads)))
})

const listed = async (
  { library, ...place }: Candidate,
  chosen: string | undefined,
  reads: boolean
): Promise<ListedLibrary> => {
  const serves = chosen !== undefined && chosen === (library?.directory ?? place.directory)
  if (!place.recorded) return { ...place, serves }
  const found = reads ? await verify(place.directory) : lookAt(place.directory)
  if (found.state === "damaged") return { ...place, state: "damaged", reason: found.reason, serves }
  return found.state === "whole" ? { ...place, serves, sizeBytes: found.sizeBytes } : { ...place, serves }
}

const stateOf = ({ serves, state, reason, sizeBytes }: ListedLibrary, paint: Paint): string => {
  const size = sizeBytes === undefined ? "" : `, ${bytes(sizeBytes)}`
  if (state === "damaged") return `${paint.red("damaged")}: ${oneLine(reason ?? "")}`
  if (serves) return `${paint.green("serves")}${size}`
  return state === "whole" ? `whole${size}` : paint.dim(oneLine(reason ?? "absent"))
}

export const list = Effect.fn("runtime.list")(function* (flags: {
  readonly verify: boolean
  readonly json: boolean
}) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const libraries = yield* placesOf(settings, flags.verify)
  const isNative = libraries.some(({ serves }) => serves)
  const rows = libraries.map((one) => [one.name, stateOf(one, paint), one.directory])
  const columns = [{ title: "library" }, { title: "state" }, { title: "folder" }]
  yield* flags.json
    ? printJson({ schemaVersion: 1, runtime: isNative ? "native" : runtimeWithout(settings), libraries })
    : print([...table(columns, rows, paint), ...(isNative ? [] : ["", withoutLibrary(settings)])])
  if (flags.verify && libraries.some(({ state }) => state === "damaged")) {
    return yield* new AlreadyReported({ exitCode: exitCodes.integrity })
  }
})

/** What a run computes with where no library serves. */
const runtimeWithout = ({ backend, tensorflowDir }: SettingsValue): "portable" | "none" =>
  backend === "portable" || (backend === "auto" && tensorflowDir === undefined) ? "portable" : "none"

const withoutLibrary = ({ backend, tensorflowDir }: SettingsValue): string => {
  if (backend === "portable") return "The portable runtime serves, as DISTILLERY_BACKEND asks."
  if (tensorflowDir !== undefined) return "No runtime serves: correct DISTILLERY_TENSORFLOW, or leave it out."
  const until = backend === "native" ? "No runtime serves" : "The portable runtime serves"
  return `${until} until a library is there: npx distillery runtime install`
}
