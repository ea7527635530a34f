/** What `distillery doctor` looks at: each check tries the real thing, and says how to mend it. */
import { randomBytes } from "node:crypto"
import { mkdir, rm, statfs, writeFile } from "node:fs/promises"
import { availableParallelism, totalmem } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"
import { Signer } from "../../lib/storage/Signature.ts"
import { imageCodecLayer } from "../layers.ts"
import { bytes } from "../reporting/numbers.ts"
import type { SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { cpuChecks } from "./cpuChecks.ts"
import { type Finding, fail, ok } from "./finding.ts"
import { gpuCheck } from "./gpuChecks.ts"
import { pipCheck, runtimeCheck } from "./runtimeChecks.ts"
import { libraryFinding, runSelfTest, selfTestFinding } from "./selfTestCheck.ts"
import { storeFix } from "./storeChecks.ts"

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
