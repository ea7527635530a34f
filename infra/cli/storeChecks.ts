/** What `distillery doctor` finds of the store: it is used as runs use it, and as two writers who race. */
import { randomBytes } from "node:crypto"
import { Clock, Effect } from "effect"
import { ObjectStore, type StoreError } from "../../lib/storage/ObjectStore.ts"
import { bytes, duration } from "../reporting/numbers.ts"
import type { SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { type S3Place, s3Url } from "../stores/storePlace.ts"
import { type Finding, fail, ok, warn } from "./finding.ts"

export const storeFix = "See README, or let DISTILLERY_STORE name a folder that you can write to"

const raceWriters = 8

const conditionless =
  "Runs that start together may compute a job twice, and gc --yes waits until none goes on; see README"

/** Written, read back, written by many at once (one may win). */
const tryObject = Effect.fn("doctor.tryObject")(function* (key: string) {
  const store = yield* ObjectStore
  const content = new TextEncoder().encode(key)
  const writers = Array.from({ length: raceWriters }, () =>
    Effect.result(store.put(key, content, { _tag: "Absent" }))
  )
  const results = yield* Effect.all(writers, { concurrency: "unbounded" })
  const winners = results.filter((result) => result._tag === "Success").length
  const lost = results.find(
    (result) => result._tag === "Failure" && result.failure._tag !== "PreconditionFailed"
  )
  if (lost?._tag === "Failure") return yield* lost.failure
  const { location } = store
  if (Buffer.compare(yield* store.get(key), content) !== 0) {
    return fail("store", `${location} gives back other bytes than were written`, storeFix)
  }
  if (!store.isConditional || winners !== 1) {
    return warn("store", `${location}: written and read; it decides no conditional writes`, conditionless)
  }
  return ok("store", `${location}: written, read, and of ${raceWriters} writers at once one won`)
})

const skewMillisMax = 60_000

/** The store tells times to the second. */
const tryClock = Effect.fn("doctor.tryClock")(function* (key: string) {
  const store = yield* ObjectStore
  yield* store.put(key, new Uint8Array(1))
  const now = yield* Clock.currentTimeMillis
  const skewMillis = (yield* store.head(key)).modifiedAtMillis - now
  if (Math.abs(skewMillis) < skewMillisMax) return ok("store clock", "the store's clock agrees with this one")
  const by = duration(Math.abs(skewMillis) / 1000)
  const text = `the store's clock is ${by} ${skewMillis > 0 ? "ahead" : "behind"}`
  return warn(
    "store clock",
    text,
    "Set both by NTP: gc tells by it what is young, and requests are signed by it"
  )
})

const largeBytes = 20_000_000
const numLooks = 5

const timed = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const started = yield* Clock.monotonicTimeNanos
  const value = yield* effect
  return [value, Number((yield* Clock.monotonicTimeNanos) - started) / 1e9] as const
})

/** In parts up, by ranges down, as large artifacts go. */
const tryTransfer = Effect.fn("doctor.tryTransfer")(function* (key: string) {
  const store = yield* ObjectStore
  const content = randomBytes(largeBytes)
  const [, upSeconds] = yield* timed(store.put(key, content))
  const [found, downSeconds] = yield* timed(store.get(key))
  const looks = yield* Effect.replicateEffect(timed(store.head(key)), numLooks)
  const latency = looks.map(([, seconds]) => seconds).sort((a, b) => a - b)[Math.floor(numLooks / 2)]!
  if (Buffer.compare(found, content) !== 0) {
    return fail("store transfer", "what went up in parts came back as other bytes", storeFix)
  }
  const rate = (seconds: number) => `${bytes(largeBytes / seconds)}/s`
  const each = `${(latency * 1000).toFixed(1)} ms a request`
  return ok("store transfer", `${rate(upSeconds)} up in parts, ${rate(downSeconds)} down by ranges, ${each}`)
})

const tryAll = Effect.fn("doctor.tryStore")(function* (isRemote: boolean) {
  const store = yield* ObjectStore
  const key = `doctor/${randomBytes(8).toString("hex")}`
  const keys = { object: key, clock: `${key}-clock`, transfer: `${key}-transfer` }
  const use = Effect.gen(function* () {
    const first = yield* tryObject(keys.object)
    if (first.state === "fail" || !isRemote) return [first]
    return [first, yield* tryClock(keys.clock), yield* tryTransfer(keys.transfer)]
  })
  return yield* Effect.ensuring(use, Effect.ignore(store.removeAll(Object.values(keys))))
})

/** What only requests of the server's own kind can show. The SDK is loaded here only. */
const probed = (place: S3Place): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.tryPromise(async () => {
    const { probeS3 } = await import("../stores/s3Probe.ts")
    return probeS3(place)
  }).pipe(
    Effect.map(({ checksChecksums, encryption, numRounds, raceProblem }) => {
      const asked = place.encryption?.kind
      return [
        raceProblem === undefined
          ? ok(
              "store races",
              `two writers raced ${numRounds} times, by If-None-Match and If-Match: one won each`
            )
          : warn("store races", `${raceProblem}; noted in ${s3Url(place)}`, conditionless),
        ok(
          "store checksums",
          checksChecksums
            ? "the server refuses a body that does not fit its checksum"
            : "the server checks no checksums; distillery does: every blob by its SHA-256"
        ),
        asked === undefined || encryption === asked
          ? ok("store encryption", encryption === undefined ? "none that the server tells of" : encryption)
          : fail(
              "store encryption",
              `the server was asked for ${asked} and tells of ${encryption ?? "none"}`,
              "Correct DISTILLERY_S3_SSE, or let the server have keys"
            )
      ]
    }),
    Effect.catch(({ cause }) =>
      Effect.succeed([
        fail("store races", `the server answers ${(cause as Error).name ?? "with an error"}`, storeFix)
      ])
    )
  )

/** Told of a store that does not answer, too; what makes no sense is in the first finding already. */
const networkFinding = (place: S3Place): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.tryPromise(async () => {
    const { networkWords } = await import("../stores/s3Probe.ts")
    return [ok("store network", await networkWords(place))]
  }).pipe(Effect.catch(() => Effect.succeed([])))

/** The first of them is about the store as a whole. */
export const storeChecks = (settings: SettingsValue): Effect.Effect<ReadonlyArray<Finding>> => {
  const { store } = settings
  const tried = tryAll(store.kind === "s3").pipe(
    Effect.provide(storageLayer(settings)),
    Effect.catch((error: StoreError) => Effect.succeed([fail("store", error.message, storeFix)]))
  )
  if (store.kind === "folder") return tried
  return Effect.gen(function* () {
    const [first, ...others] = yield* tried
    const network = yield* networkFinding(store)
    const more = first!.state === "fail" ? [] : yield* probed(store)
    return [first!, ...network, ...others, ...more]
  })
}
