/** Which manifests a store holds, in every scope: to look results up by a part of their key, and to sweep. */
import { Effect, Stream } from "effect"
import { type ObjectInfo, ObjectStore, type StoreError } from "../storage/ObjectStore.ts"
import { type ManifestPlace, manifestPlaceOf, manifestsFolder } from "./SignedManifest.ts"

export interface StoredManifest extends ManifestPlace {
  readonly info: ObjectInfo
}

/** Whoever wrote them, trusted or not: those whose job key begins with these hexadecimal digits. */
export const storedManifests = (hexPrefix: string): Stream.Stream<StoredManifest, StoreError, ObjectStore> =>
  Stream.unwrap(Effect.map(ObjectStore, (store) => store.list(manifestsFolder))).pipe(
    Stream.map((info) => {
      const place = manifestPlaceOf(info.key)
      return place?.key.startsWith(`sha256:${hexPrefix}`) ? [{ ...place, info }] : []
    }),
    Stream.flattenIterable
  )
