/** Which runtime trains, and why no better one does. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { Effect } from "effect"
import { libraryOptions } from "../capabilities.ts"
import type { SettingsValue } from "../settings.ts"
import { verify } from "../tensorflow/installed.ts"
import { type Candidate, candidates, locateLibrary, type NativeLibrary } from "../tensorflow/library.ts"
import { type Finding, fail, ok, warn } from "./finding.ts"
import { portableSlowdown } from "./runtimeNotices.ts"

const run = promisify(execFile)

/** Looked at only where a library would have to be fetched. */
export const pipCheck: Effect.Effect<Finding> = Effect.promise(async () => {
  try {
    const { stdout } = await run("python3", ["-m", "pip", "--version"], { timeout: 10_000 })
    return ok("pip", stdout.split(" from ")[0]!.trim())
  } catch {
    const text = "python3 -m pip does not run: the native runtime cannot be fetched"
    const fix = "Install python3 with pip, or let DISTILLERY_TENSORFLOW name TensorFlow's folder"
    return warn("pip", text, fix)
  }
})

/** Why the places before the chosen one do not serve. */
const passedOver = (places: ReadonlyArray<Candidate>, chosen: NativeLibrary): string => {
  const at = places.findIndex(({ library }) => library?.directory === chosen.directory)
  const better = at === -1 ? places : places.slice(0, at)
  return better.map(({ name, reason }) => `not ${name}: ${reason}`).join("; ")
}

/** Reads what was fetched, about a second for a gigabyte. */
const nativeFinding = (found: NativeLibrary, places: ReadonlyArray<Candidate>): Effect.Effect<Finding> =>
  Effect.promise(async () => {
    const place = places.find(({ library }) => library?.directory === found.directory)
    const why = place === undefined ? "as DISTILLERY_TENSORFLOW asks" : passedOver(places, found)
    const name = place === undefined ? "" : `${place.name}, `
    const text = `native: ${name}${found.directory}${why === "" ? "" : ` (${why})`}`
    const state = place?.recorded === true ? await verify(place.directory) : undefined
    return state?.state === "damaged"
      ? fail("runtime", `${text}, but ${state.reason}`, "npx distillery runtime install fetches it again")
      : ok("runtime", text)
  })

const absentFinding = (reason: string, settings: SettingsValue): Finding => {
  const text = `portable, ${portableSlowdown}, because ${reason}`
  return settings.backend === "native"
    ? fail("runtime", text, "npx distillery runtime install fetches it by pip; or unset DISTILLERY_BACKEND")
    : warn("runtime", text, "npx distillery runtime install, or the first run, fetches it where pip can")
}

export const runtimeCheck = (settings: SettingsValue): Effect.Effect<Finding> => {
  if (settings.backend === "portable") {
    return Effect.succeed(ok("runtime", "portable, as DISTILLERY_BACKEND asks"))
  }
  const options = libraryOptions(settings)
  return locateLibrary(options).pipe(
    Effect.flatMap((found) =>
      found.kind === "native"
        ? nativeFinding(found, candidates(options))
        : Effect.succeed(absentFinding(found.reason, settings))
    ),
    Effect.catch((error) =>
      Effect.succeed(fail("runtime", error.message, "Correct DISTILLERY_TENSORFLOW, or leave it out"))
    )
  )
}
