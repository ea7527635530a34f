/** Stores that the user names beside that of the settings. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { asked, type SettingsValue } from "../settings.ts"
import { formatFile } from "../stores/storeFormat.ts"
import { placeFrom, placeProblem, type StorePlace } from "../stores/storePlace.ts"
import { UsageError } from "./errors.ts"

/** What `address` means: s3://bucket/prefix or a folder. Fails with `UsageError` where it is neither. */
export const namedStore = Effect.fn("namedStore")(function* (
  address: string,
  settings: SettingsValue
): Effect.fn.Return<StorePlace, UsageError> {
  const problem = address === "" ? "it is empty" : placeProblem(address)
  return problem === undefined
    ? asked(placeFrom(address), settings)
    : yield* new UsageError({ what: `"${address}" is no store: ${problem}` })
})

/** Opening a folder makes a store of it: one that is to be read has to be there. */
export const refuseAbsent = (place: StorePlace, fix: string): Effect.Effect<void, UsageError> =>
  place.kind === "folder" && !existsSync(join(place.folder, formatFile))
    ? Effect.fail(new UsageError({ what: `there is no store in ${place.folder}`, fix }))
    : Effect.void

/** What to do where the address was the user's. */
export const nameAnother = "Name the folder in which a store's format.json lies, or s3://bucket/prefix"
