/**
 * The last keys of a job of one name, what a miss is compared with: `latest/<scope>/<pipeline>/<job>.json`.
 */
import { Effect, Option, Schema } from "effect"
import { Digest } from "../storage/Digest.ts"
import { type ObjectInfo, ObjectStore, type PutCondition } from "../storage/ObjectStore.ts"
import type { Scope } from "../storage/Signature.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"
import { manifestKey } from "./SignedManifest.ts"

export interface JobName {
  readonly scope: Scope
  readonly pipeline: string
  readonly job: string
}

const RecentKeys = Schema.Struct({ schemaVersion: Schema.Literal(1), keys: Schema.Array(Digest) })
const numRecent = 20
/** Ten times what so many keys take. */
const recentBytesMax = 65_536

const recentKey = ({ job, pipeline, scope }: JobName): string => `latest/${scope}/${pipeline}/${job}.json`

/** The part of a manifest that says when it was made. */
const Dated = Schema.Struct({
  payload: Schema.Struct({ provenance: Schema.Struct({ createdAt: Schema.String }) })
})

const conditionOf = (head: Option.Option<ObjectInfo>): PutCondition =>
  Option.match(head, {
    onNone: () => ({ _tag: "Absent" as const }),
    onSome: ({ version }) => ({ _tag: "Version" as const, version })
  })

/** Latest first. */
export const recentKeys = Effect.fn("RecentJobs.recentKeys")(function* (name: JobName) {
  const read = Option.flatten(yield* ifPresent(readJson(RecentKeys, recentKey(name), recentBytesMax)))
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
    conditionOf(head),
    // It only serves explanations.
    "volatile"
  )
})

/** A key of a job, and when its result was made; ISO 8601, UTC. */
export interface DatedKey {
  readonly key: Digest
  readonly createdAt: string
}

const createdAtOf = Effect.fn("RecentJobs.createdAtOf")(function* (scope: Scope, key: Digest) {
  const read = yield* ifPresent(readJson(Dated, manifestKey({ scope, key })))
  return Option.match(Option.flatten(read), {
    onNone: () => "",
    onSome: ({ payload }) => payload.provenance.createdAt
  })
})

/**
 * Takes keys of results made elsewhere in among the job's recent ones, the latest first: before those that
 * are there if they are younger than the first of them, else behind. Nothing is written that changes nothing.
 */
export const mergeRecent = Effect.fn("RecentJobs.mergeRecent")(function* (
  name: JobName,
  latestFirst: ReadonlyArray<DatedKey>
) {
  const attempt = Effect.gen(function* () {
    const head = yield* ifPresent((yield* ObjectStore).head(recentKey(name)))
    const there = yield* recentKeys(name)
    const [first] = there
    const isNewer =
      first === undefined || (latestFirst[0]?.createdAt ?? "") > (yield* createdAtOf(name.scope, first))
    const taken = latestFirst.map(({ key }) => key)
    const merged = isNewer ? [...taken, ...there] : [...there, ...taken]
    const keys = [...new Set(merged)].slice(0, numRecent)
    if (keys.length === there.length && keys.every((key, at) => key === there[at])) return
    yield* writeJson(RecentKeys, recentKey(name), { schemaVersion: 1, keys }, conditionOf(head), "volatile")
  })
  yield* Effect.ignore(
    Effect.retry(attempt, { times: 5, while: ({ _tag }) => _tag === "PreconditionFailed" })
  )
})
