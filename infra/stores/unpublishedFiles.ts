/**
 * Results that wait to be published, as files of the project, for each store:
 * `unpublished/<digits of its address>/<scope>/<job key>.json`.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Effect, Layer } from "effect"
import { hexOf } from "../../lib/storage/Digest.ts"
import type { ManifestPlace } from "../../lib/workflow/SignedManifest.ts"
import { UnpublishedFiles } from "../../lib/workflow/Unpublished.ts"
import { digestOf } from "../hashing.ts"

const write = async (file: string, bytes: Uint8Array): Promise<void> => {
  await mkdir(dirname(file), { recursive: true })
  const written = `${file}.${process.pid}`
  await writeFile(written, bytes)
  await rename(written, file)
}

/** `address`: of the store that the results are meant for. */
export const unpublishedFilesLayer = (folder: string, address: string): Layer.Layer<never> => {
  const ofStore = join(folder, hexOf(digestOf(address)).slice(0, 16))
  const fileOf = ({ key, scope }: ManifestPlace) => join(ofStore, scope, `${hexOf(key)}.json`)
  return Layer.succeed(UnpublishedFiles, {
    keep: (place, bytes) =>
      Effect.promise(() =>
        write(fileOf(place), bytes).then(
          () => true,
          () => false
        )
      ),
    find: (place) => Effect.option(Effect.tryPromise((): Promise<Uint8Array> => readFile(fileOf(place)))),
    forget: (place) => Effect.promise(() => rm(fileOf(place), { force: true }).catch(() => undefined))
  })
}
