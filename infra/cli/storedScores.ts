/** The scores of a run that ended long ago, from the results it left in the store. */
import { Effect } from "effect"
import { inputRecords, soundManifest } from "../../lib/workflow/Lineage.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { scoresIn } from "../reporting/RunDocument.ts"

/** The results of a run by job, as far as they are still there. */
export const storedManifestsOf = Effect.fn("storedManifestsOf")(function* ({ jobs }: RunReport) {
  const found: Record<string, Manifest> = {}
  const all = yield* Effect.forEach(
    jobs,
    ({ key, name, state }) =>
      key === null || (state !== "hit" && state !== "ran")
        ? Effect.succeed([name, undefined] as const)
        : Effect.map(soundManifest(key), (manifest) => [name, manifest] as const),
    { concurrency: 8 }
  )
  for (const [name, manifest] of all) if (manifest !== undefined) found[name] = manifest
  return found
})

/** Scores under the name of the job whose model was evaluated. */
export const scoresOf = (
  { jobs }: RunReport,
  manifests: { readonly [job: string]: Manifest }
): ReturnType<typeof scoresIn> =>
  scoresIn(
    jobs.map(({ name }) => {
      const manifest = manifests[name]
      const model = manifest && inputRecords(manifest.inputs).get("model")?.jobKey
      return { name, model: jobs.find(({ key }) => key !== null && key === model)?.name }
    }),
    manifests
  )

export const storedScores = Effect.fn("storedScores")(function* (record: RunReport) {
  return scoresOf(record, yield* storedManifestsOf(record))
})
