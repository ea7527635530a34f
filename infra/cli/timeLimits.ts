/** `--time-limit student=10m`: from text to milliseconds by job. */
import { Effect } from "effect"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import { UsageError } from "./errors.ts"
import { checkNames } from "./selection.ts"

const unitMillis: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000 }

/** `undefined` where it is no time. Tenths are fine: `1.5h`. */
const millisOf = (text: string): number | undefined => {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(text) ?? []
  const millis = unit === undefined ? 0 : Number(count) * unitMillis[unit]!
  return millis > 0 ? millis : undefined
}

/** Fails with `UsageError` for jobs that the pipeline does not have, and for what is no time. */
export const timeLimitsFrom = Effect.fn("timeLimitsFrom")(function* (
  pipeline: Pipeline,
  texts: ReadonlyArray<string>
) {
  const limits: Record<string, number> = {}
  for (const text of texts) {
    const [job = "", time = ""] = text.split("=", 2)
    const millis = millisOf(time)
    if (millis === undefined) {
      return yield* new UsageError({
        what: `--time-limit: "${text}" is no limit of a job`,
        fix: "write it as job=time, for example --time-limit student=10m (s, m or h)"
      })
    }
    yield* checkNames(pipeline, "--time-limit", [job])
    limits[job] = millis
  }
  return limits
})
