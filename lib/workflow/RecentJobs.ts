/**
 * The last keys of a job of one name, what a miss is compared with: `latest/<scope>/<pipeline>/<job>.json`.
 */
import { Effect, Option, Schema } from "effect"
import { Digest } from "../storage/Digest.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import type { Scope } from "../storage/Signature.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"

export interface JobName {
  readonly scope: Scope
  readonly pipeline: string
  readonly job: string
}

const RecentKeys = Schema.Struct({ schemaVersion: Schema.Literal(1), keys: Schema.Array(Digest) })
const numRecent = 20

const recentKey = ({ job, pipeline, scope }: JobName): string => `latest/${scope}/${pipeline}/${job}.json`

/** Latest first. */
export const recentKeys = Effect.fn("RecentJobs.recentKeys")(function* (name: JobName) {
  const read = Option.flatten(yield* ifPresent(readJson(RecentKeys, recentKey(name))))
  return Option.match(read, { onNone: () => [], onSome: ({ keys }) => keys.slice(0, numRecent) })
})

/** Puts the key in front of the job's recent ones. Fails where another writer comes in between. */
export const remember = Effect.fn("RecentJobs.remember")(function* (name: JobName, key: Digest) {
  const head = yield* ifPresent((yield* ObjectStore).head(recentKey(name)))
  const others = (yield* recentKeys(name)).filter((one) => one !== key)
  yield* writeJson(
    RecentKeys,
    recentKey(name),
    { schemaVersion: 1, keys: [key, ...others].slice(0, numRecent) },
    Option.match(head, {
      onNone: () => ({ _tag: "Absent" as const }),
      onSome: ({ version }) => ({ _tag: "Version" as const, version })
    }),
    // It only serves explanations.
    "volatile"
  )
})
