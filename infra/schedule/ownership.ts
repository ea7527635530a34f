/** A file that says which process has a thing. It is taken over from processes that are gone. */
import { randomUUID } from "node:crypto"
import { readFile, rm, stat, utimes } from "node:fs/promises"
import { hostname } from "node:os"
import { dirname } from "node:path"
import { Effect, Option, Schema } from "effect"
import { processExists } from "../processExists.ts"
import { errorCode, withLockFile, writeAtomically } from "../stores/atomicFiles.ts"
import { makeFolder } from "../stores/makeFolder.ts"

const OwnerRecord = Schema.Struct({
  host: Schema.String,
  token: Schema.String,
  /** The owner, then whom it shares the thing with. */
  pids: Schema.NonEmptyArray(Schema.Int)
})
type OwnerRecord = typeof OwnerRecord.Type
const decodeOwner = Schema.decodeUnknownOption(Schema.fromJsonString(OwnerRecord))

/** The owner renews the file; one that was not renewed for long is dead, whoever has its process id now. */
const renewMillis = 10_000
const staleMillis = 60_000

const ownerOf = async (file: string): Promise<OwnerRecord | undefined> => {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, "utf8"), stat(file)])
    const owner = Option.getOrUndefined(decodeOwner(text))
    const isDead = owner !== undefined && owner.host === hostname() && !owner.pids.some(processExists)
    return isDead || Date.now() - mtimeMs > staleMillis ? undefined : owner
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined
    throw error
  }
}

/** Of many who look at the file at once, one decides at a time. */
const exclusively = async <A>(file: string, decide: () => Promise<A>): Promise<A> => {
  await makeFolder(dirname(file))
  return withLockFile(`${file}.turn`, decide)
}

const writeOwner = async (file: string, owner: OwnerRecord): Promise<void> => {
  const bytes = new TextEncoder().encode(JSON.stringify(owner))
  await writeAtomically({ target: file, temporaryFolder: dirname(file), bytes, onlyIfAbsent: false })
}

const take = (file: string, token: string): Promise<OwnerRecord | undefined> =>
  exclusively(file, async () => {
    const owner = await ownerOf(file)
    if (owner !== undefined) return owner
    await writeOwner(file, { host: hostname(), token, pids: [process.pid] })
    return undefined
  })

const share = (file: string, token: string, pid: number): Promise<void> =>
  exclusively(file, async () => {
    const owner = await ownerOf(file)
    if (owner?.token === token) await writeOwner(file, { ...owner, pids: [...owner.pids, pid] })
  })

const release = (file: string, token: string): Promise<void> =>
  exclusively(file, async () => {
    if ((await ownerOf(file))?.token === token) await rm(file, { force: true })
  })

export type Ownership =
  /** `share`: the file counts as owned until that process is gone too, should it outlive us. */
  | { readonly _tag: "Ours"; readonly share: (pid: number) => Effect.Effect<void> }
  | { readonly _tag: "Held"; readonly by: string }

const renewal = (file: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      setInterval(() => {
        const now = new Date()
        // If it fails, the file was taken from us, which is for the next owner to bear.
        utimes(file, now, now).catch(() => undefined)
      }, renewMillis)
    ),
    (timer) => Effect.sync(() => clearInterval(timer))
  )

/** Takes the file for as long as the scope is open, or says who has it. */
export const own = Effect.fn("own")(function* <E>(file: string, onError: (error: unknown) => E) {
  const token = randomUUID()
  const owner = yield* Effect.acquireRelease(
    Effect.tryPromise({ try: () => take(file, token), catch: onError }),
    (taken) =>
      taken === undefined ? Effect.ignore(Effect.tryPromise(() => release(file, token))) : Effect.void
  )
  if (owner !== undefined) {
    const place = owner.host === hostname() ? "" : ` on ${owner.host}`
    return { _tag: "Held", by: `process ${owner.pids[0]}${place}` } satisfies Ownership as Ownership
  }
  yield* renewal(file)
  const ours: Ownership = {
    _tag: "Ours",
    share: (pid) => Effect.ignore(Effect.tryPromise(() => share(file, token, pid)))
  }
  return ours
})
