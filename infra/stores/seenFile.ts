/** What was seen of a store's results, as a file of the project: a line each. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect, Layer } from "effect"
import { type Digest, hexOf } from "../../lib/storage/Digest.ts"
import { type Seen, type SeenByPlace, SeenRecord } from "../../lib/workflow/SeenResults.ts"
import { digestOf } from "../hashing.ts"
import { withLockFile, writeAtomically } from "./atomicFiles.ts"
import { makeFolder } from "./makeFolder.ts"

/** A megabyte or two; those that were published longest ago go first. */
const numSeenMax = 10_000

const linePattern = /^(\S+) (\d+) (sha256:[0-9a-f]{64})$/

/** A line that is none, as a torn write leaves it, says nothing. */
const read = (file: string): Map<string, Seen> => {
  const seen = new Map<string, Seen>()
  try {
    for (const line of readFileSync(file, "utf8").split("\n")) {
      const [, place, millis, output] = linePattern.exec(line) ?? []
      if (place !== undefined) {
        seen.set(place, { publishedAtMillis: Number(millis), output: output as Digest })
      }
    }
  } catch {
    // There is none yet, or none to be read: nothing was seen.
  }
  return seen
}

const add = async (file: string, news: SeenByPlace): Promise<void> => {
  const seen = read(file)
  for (const [place, one] of news) {
    const before = seen.get(place)
    if (before === undefined || before.publishedAtMillis < one.publishedAtMillis) seen.set(place, one)
  }
  const latest = [...seen]
    .sort(([, a], [, b]) => b.publishedAtMillis - a.publishedAtMillis)
    .slice(0, numSeenMax)
  const lines = latest.map(([place, one]) => `${place} ${one.publishedAtMillis} ${one.output}\n`)
  await writeAtomically({
    temporaryFolder: dirname(file),
    target: file,
    bytes: new TextEncoder().encode(lines.join("")),
    onlyIfAbsent: false,
    isVolatile: true
  })
}

/** `address`: of the store. What cannot be kept is not: the results themselves do not depend on it. */
export const seenFileLayer = (folder: string, address: string): Layer.Layer<never> => {
  const file = join(folder, hexOf(digestOf(address)).slice(0, 16))
  return Layer.succeed(SeenRecord, {
    load: () => read(file),
    keep: (news) =>
      Effect.ignore(
        Effect.tryPromise(async () => {
          await makeFolder(folder)
          await withLockFile(`${file}.lock`, () => add(file, news))
        })
      )
  })
}
