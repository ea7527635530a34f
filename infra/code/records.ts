/** Small JSON records below a folder, by what they are about. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Option, Schema } from "effect"
import { hexOf } from "../../lib/storage/Digest.ts"
import { canonicalJson } from "../../lib/workflow/Fingerprint.ts"
import { digestOf } from "../hashing.ts"
import { writeAtomically } from "../stores/atomicFiles.ts"
import { makeFolder } from "../stores/makeFolder.ts"

/** What learns is part of what a record was learned from, and of two builds each has its own records. */
export const learner = fileURLToPath(import.meta.url)

export const writeFileIn = async (codeFolder: string, target: string, text: string): Promise<void> => {
  const temporaryFolder = join(codeFolder, "tmp")
  await makeFolder(temporaryFolder)
  const bytes = new TextEncoder().encode(text)
  await writeAtomically({ temporaryFolder, target, bytes, onlyIfAbsent: false })
}

export interface Records<A> {
  /** `undefined` where there is none that decodes. */
  readonly read: (subject: unknown) => Promise<A | undefined>
  readonly write: (subject: unknown, record: A) => Promise<void>
}

/** `subject`: plain JSON. */
export const recordsIn = <A>(codeFolder: string, schema: Schema.Codec<A, unknown>): Records<A> => {
  const decode = Schema.decodeUnknownOption(Schema.fromJsonString(schema))
  const fileOf = (subject: unknown) =>
    join(codeFolder, "known", `${hexOf(digestOf(canonicalJson([learner, subject]))).slice(0, 32)}.json`)
  return {
    read: async (subject) => {
      const text = await readFile(fileOf(subject), "utf8").catch(() => "")
      return Option.getOrUndefined(decode(text))
    },
    write: (subject, record) =>
      writeFileIn(codeFolder, fileOf(subject), JSON.stringify(Schema.encodeSync(schema)(record)))
  }
}
