/** Files that cannot be used: they are listed with the reason, and too many of them are an error. */
import { Effect, Schema } from "effect"
import { DatasetInvalid } from "./DatasetInvalid.ts"

/** A file that cannot be used, and why. */
export const SetAside = Schema.Struct({ file: Schema.String, reason: Schema.String })
export type SetAside = typeof SetAside.Type

/**
 * Fails with `DatasetInvalid` where nothing is left of `count` images, or more than the fraction
 * `maxUnreadable` of them cannot be used.
 */
export const checkSetAside = (
  dataset: string,
  count: number,
  setAside: ReadonlyArray<SetAside>,
  maxUnreadable: number
): Effect.Effect<void, DatasetInvalid> => {
  if (setAside.length <= maxUnreadable * count && setAside.length < count) return Effect.void
  const [first] = setAside
  const reason =
    first === undefined
      ? "it has no images"
      : `${setAside.length} of ${count} images are unusable, more than the fraction ${maxUnreadable} ` +
        `that "maxUnreadable" allows (first: ${first.file}: ${first.reason})`
  return Effect.fail(new DatasetInvalid({ dataset, reason }))
}
