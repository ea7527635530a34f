/** A file of the user's own, whole: the caller compares its digest with the one that is wanted. */
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { Effect } from "effect"
import type { SourceUnreadable, UserFile } from "../../lib/data/SourceFiles.ts"
import type { IndexOptions } from "../files/IndexedExternalInputs.ts"
import { digestOf } from "../hashing.ts"
import { unreadable } from "./folder.ts"

export const readUserFile = ({ projectDir }: IndexOptions, path: string) =>
  Effect.tryPromise({
    try: async (): Promise<UserFile> => {
      const bytes = await readFile(resolve(projectDir, path))
      return { bytes, digest: digestOf(bytes) }
    },
    catch: (cause): SourceUnreadable => unreadable(path, cause)
  })
