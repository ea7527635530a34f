/** Spans of time as flags take them. */
import { Effect } from "effect"
import { UsageError } from "./errors.ts"

const unitMillis: { readonly [unit: string]: number } = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 }

/** `14d`, `12h`, `30m`, `0d`; days where no unit is given. */
export const millisFrom = (flag: string, text: string): Effect.Effect<number, UsageError> => {
  const [, count, unit = "d"] = /^(\d+(?:\.\d+)?)([dhms])?$/.exec(text.trim()) ?? []
  if (count !== undefined) return Effect.succeed(Number(count) * unitMillis[unit]!)
  return Effect.fail(
    new UsageError({ what: `${flag}: "${text}" is no time`, fix: "Write days or hours: 14d, 12h" })
  )
}
