/** How much room what takes in a store: each object once, however many results need it. */
import { Effect } from "effect"
import type { Digest } from "../storage/Digest.ts"
import type { ObjectInfo } from "../storage/ObjectStore.ts"
import { manifestPlaceOf } from "./SignedManifest.ts"
import { allObjects, blobIn, type HeldManifest, isSetAside, manifestsAmong } from "./StoreContents.ts"

export interface StoredResult {
  readonly key: Digest
  readonly scope: string
  readonly pipeline: string
  readonly job: string
  readonly stage: string
  /** When it was made, ISO 8601, UTC; empty where its manifest does not say. */
  readonly createdAt: string
  /** Its manifest and its blobs, by the object's key. */
  readonly objects: ReadonlyMap<string, number>
}

export interface StoreListing {
  readonly results: ReadonlyArray<StoredResult>
  /** All, what is set aside too. */
  readonly objects: ReadonlyArray<ObjectInfo>
}

const resultOf = (
  { blobs, info, key, manifest }: HeldManifest,
  sizes: ReadonlyMap<Digest, ObjectInfo>
): ReadonlyArray<StoredResult> => {
  if (manifest === undefined) return []
  const { job, pipeline, provenance, stage } = manifest
  const present = blobs.flatMap(({ blob }) => sizes.get(blob) ?? [])
  const objects = new Map([info, ...present].map((one) => [one.key, one.sizeBytes]))
  const scope = manifestPlaceOf(info.key)?.scope ?? ""
  return [{ key, scope, pipeline, job, stage, createdAt: String(provenance.createdAt ?? ""), objects }]
}

/** Everything in the store, whoever made it; the results the latest first. */
export const storeListing = Effect.gen(function* () {
  const { objects, setAside } = yield* allObjects
  const sizes = new Map(
    objects.flatMap((info) => {
      const digest = blobIn(info.key)
      return digest === undefined ? [] : [[digest, info] as const]
    })
  )
  const manifests = yield* manifestsAmong(objects)
  const results = manifests
    .flatMap((one) => resultOf(one, sizes))
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
  return { results, objects: [...objects, ...setAside] } satisfies StoreListing as StoreListing
})

/** All that these need, each once. */
export const sizeOf = (results: ReadonlyArray<StoredResult>): number => {
  const objects = new Map(results.flatMap((one) => [...one.objects]))
  return [...objects.values()].reduce((sum, size) => sum + size, 0)
}

export interface Usage {
  readonly owner: string
  readonly numResults: number
  /** All that its results need. */
  readonly sizeBytes: number
  /** The part that nothing else needs. */
  readonly ownBytes: number
}

/** The largest first. The sizes of several add up to more than the store where they share blobs. */
export const usageBy = (
  results: ReadonlyArray<StoredResult>,
  ownerOf: (result: StoredResult) => string
): ReadonlyArray<Usage> => {
  const groups = Map.groupBy(results, ownerOf)
  const numOwners = new Map<string, number>()
  for (const ofOne of groups.values()) {
    for (const key of new Set(ofOne.flatMap((one) => [...one.objects.keys()]))) {
      numOwners.set(key, (numOwners.get(key) ?? 0) + 1)
    }
  }
  return [...groups]
    .map(([owner, ofOne]) => {
      const objects = new Map(ofOne.flatMap((one) => [...one.objects]))
      const own = [...objects].filter(([key]) => numOwners.get(key) === 1)
      const ownBytes = own.reduce((sum, [, size]) => sum + size, 0)
      return { owner, numResults: ofOne.length, sizeBytes: sizeOf(ofOne), ownBytes }
    })
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
}

/** What belongs to no result, by kind. */
export const restBytes = ({ objects, results }: StoreListing) => {
  const named = new Set(results.flatMap((one) => [...one.objects.keys()]))
  const sum = (isMeant: (key: string) => boolean) =>
    objects.reduce((total, { key, sizeBytes }) => total + (isMeant(key) ? sizeBytes : 0), 0)
  const isState = (key: string) => /^(folds|resume)\//.test(key)
  const isBlob = (key: string) => blobIn(key) !== undefined
  return {
    states: sum(isState),
    unnamedBlobs: sum((key) => isBlob(key) && !named.has(key)),
    setAside: sum(isSetAside),
    records: sum((key) => !named.has(key) && !isBlob(key) && !isState(key) && !isSetAside(key))
  }
}
