/** What `distillery doctor` looks at: each check tries the real thing, and says how to mend it. */
import { randomBytes } from "node:crypto"
import { mkdir, rm, statfs, writeFile } from "node:fs/promises"
import { availableParallelism, totalmem } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"
import { ObjectStore, type StoreError } from "../../lib/storage/ObjectStore.ts"
import { Signer } from "../../lib/storage/Signature.ts"
import { imageCodecLayer, storageLayer } from "../layers.ts"
import { bytes } from "../reporting/numbers.ts"
import type { SettingsValue } from "../settings.ts"
import { cpuChecks } from "./cpuChecks.ts"
import { type Finding, fail, ok, warn } from "./finding.ts"
import { gpuCheck } from "./gpuChecks.ts"
import { pipCheck, runtimeCheck } from "./runtimeChecks.ts"
import { libraryFinding, runSelfTest, selfTestFinding } from "./selfTestCheck.ts"

const messageOf = (error: unknown): string => String((error as Error).message ?? error)

export const nodeCheck: Effect.Effect<Finding> = Effect.sync(() => {
  const memory = `${availableParallelism()} CPUs, ${bytes(totalmem())} of memory`
  const { napi } = process.versions
  return ok("node", `${process.version} on ${process.platform} ${process.arch}, Node-API ${napi}, ${memory}`)
})

const freeBytesWarn = 5e9
const freeBytesFail = 2e8

/** A run of ImageNet's size takes far more, but one of a few thousand images far less. */
const roomIn = async (
  folder: string
): Promise<{ readonly text: string; readonly state: Finding["state"] }> => {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const state = free < freeBytesFail ? "fail" : free < freeBytesWarn ? "warn" : "ok"
  return { text: `${bytes(free)} free`, state }
}

const writableFolder = (name: string, folder: string, variable: string): Effect.Effect<Finding> =>
  Effect.promise(async () => {
    const probe = join(folder, `doctor-${randomBytes(8).toString("hex")}`)
    try {
      await mkdir(folder, { recursive: true })
      await writeFile(probe, "x")
      await rm(probe)
      const { state, text } = await roomIn(folder)
      const found = `${folder}, ${text}`
      return state === "ok" ? ok(name, found) : { name, state, text: found, fix: "Free some space" }
    } catch (error) {
      return fail(name, `${folder} cannot be written to: ${messageOf(error)}`, variable)
    }
  })

export const folderChecks = ({
  cacheDir,
  projectDir
}: SettingsValue): ReadonlyArray<Effect.Effect<Finding>> => [
  writableFolder("cache", cacheDir, "Make it writable, or let DISTILLERY_CACHE name another folder"),
  writableFolder("project", join(projectDir, ".distillery"), "Make the folder you are in writable")
]

const storeFix = "See README, or let DISTILLERY_STORE name a folder that you can write to"
const raceWriters = 8

/** Written, read back, written by many at once (one may win), removed. */
const tryStore = Effect.gen(function* () {
  const store = yield* ObjectStore
  const key = `doctor/${randomBytes(8).toString("hex")}`
  const content = new TextEncoder().encode(key)
  const remove = Effect.ignore(store.remove(key))
  const use = Effect.gen(function* () {
    const writers = Array.from({ length: raceWriters }, () =>
      Effect.result(store.put(key, content, { _tag: "Absent" }))
    )
    const results = yield* Effect.all(writers, { concurrency: "unbounded" })
    const winners = results.filter((result) => result._tag === "Success").length
    const lost = results.find(
      (result) => result._tag === "Failure" && result.failure._tag !== "PreconditionFailed"
    )
    if (lost?._tag === "Failure") return yield* lost.failure
    const isSame = Buffer.compare(yield* store.get(key), content) === 0
    return { isSame, winners, location: store.location, isConditional: store.isConditional }
  })
  return yield* Effect.ensuring(use, remove)
})

const storeFinding = ({
  isConditional,
  isSame,
  location,
  winners
}: Effect.Success<typeof tryStore>): Finding => {
  if (!isSame) return fail("store", `${location} gives back other bytes than were written`, storeFix)
  if (!isConditional || winners !== 1) {
    const text = `${location} decides no conditional writes (${winners} of ${raceWriters} won at once)`
    return warn("store", text, "Use one machine at a time, or a server that honours If-None-Match")
  }
  return ok("store", `${location}: written, read, and of ${raceWriters} writers at once one won`)
}

export const storeCheck = (settings: SettingsValue): Effect.Effect<Finding> =>
  Effect.map(tryStore, storeFinding).pipe(
    Effect.provide(storageLayer(settings)),
    Effect.catch((error: StoreError) => Effect.succeed(fail("store", error.message, storeFix)))
  )

export const roomCheck = ({ store }: SettingsValue): Effect.Effect<Finding> =>
  store.kind !== "folder"
    ? Effect.succeed(ok("room", "the store is a bucket: nothing is known of its room"))
    : Effect.promise(async () => {
        try {
          const { state, text } = await roomIn(store.folder)
          const found = `${text} for the store`
          return state === "ok"
            ? ok("room", found)
            : { name: "room", state, text: found, fix: "npx distillery gc" }
        } catch (error) {
          return fail("room", messageOf(error), storeFix)
        }
      })

export const signingCheck = (settings: SettingsValue): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const { ready, scope } = yield* Signer
    yield* ready
    return ok("signing", `results are signed for scope ${scope}`)
  }).pipe(
    Effect.provide(storageLayer(settings)),
    Effect.catch((error) =>
      Effect.succeed(
        fail("signing", messageOf(error), "Make the folder of your key readable, or set DISTILLERY_KEY")
      )
    )
  )

/** One pixel there and back. */
const imageCheck: Effect.Effect<Finding> = Effect.gen(function* () {
  const { decode, encodePng } = yield* ImageCodec
  const pixels = new Uint8Array([1, 2, 3])
  const png = yield* encodePng({ pixels, height: 1, width: 1, channels: 3 })
  const { pixels: read } = yield* decode("pixel.png", png, 3)
  return Buffer.compare(read, pixels) === 0
    ? ok("images", "sharp encodes and decodes")
    : fail("images", "sharp gives back other pixels than it was given", "npm rebuild sharp")
}).pipe(
  Effect.provide(imageCodecLayer),
  Effect.catchCause((cause) =>
    Effect.succeed(fail("images", `sharp does not work: ${String(cause).slice(0, 200)}`, "npm rebuild sharp"))
  )
)

/** What training runs on. The self-test comes first: others say what it came to, too. */
export const machineChecks = Effect.fn("machineChecks")(function* (settings: SettingsValue) {
  const outcome = yield* runSelfTest
  const found = yield* Effect.all([runtimeCheck(settings), pipCheck, ...cpuChecks(settings)])
  const gpu = yield* gpuCheck(settings, outcome)
  return [...found, ...libraryFinding(outcome), gpu, selfTestFinding(outcome), yield* imageCheck]
})
