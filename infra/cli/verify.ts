/** `distillery verify` */
import { Clock, Effect, Random } from "effect"
import type { ObjectInfo } from "../../lib/storage/ObjectStore.ts"
import { type Checked, check, type Damage } from "../../lib/workflow/Integrity.ts"
import { type Repaired, repair } from "../../lib/workflow/Repair.ts"
import { bytes, number } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { read, type SettingsValue } from "../settings.ts"
import { openStore, storageLayer } from "../storageLayers.ts"
import { AlreadyReported, exitCodes } from "./errors.ts"
import { nameAnother, namedStore, refuseAbsent } from "./namedStore.ts"
import { Output, printJson } from "./Output.ts"
import { millisFrom } from "./timeSpans.ts"

export interface VerifyFlags {
  readonly repair: boolean
  /** Stores with copies. */
  readonly from: ReadonlyArray<string>
  /** Of the blobs, in percent. */
  readonly sample: number
  readonly since: string | undefined
  readonly json: boolean
}

const damageLines = ({ jobs, object, reason }: Damage, paint: Paint): ReadonlyArray<string> => [
  `${paint.red("damaged")}  ${object}`,
  `  ${oneLine(reason)}`,
  `  ${jobs.length === 0 ? "no result needs it" : `of ${oneLine(jobs.join(", "))}`}`
]

const fixLines = ({ damage }: Checked, repaired: Repaired | undefined): ReadonlyArray<string> => {
  if (repaired !== undefined) {
    const { healed, quarantined } = repaired
    return [
      ...(healed.length === 0 ? [] : [`${number(healed.length)} objects were healed from another copy.`]),
      ...(quarantined.length === 0
        ? []
        : [
            `${number(quarantined.length)} objects are under quarantine/ now: ` +
              "their jobs run again when their pipelines do."
          ])
    ]
  }
  const pipelines = [...new Set(damage.flatMap(({ jobs }) => jobs.map((job) => job.split("/")[0]!)))]
  return [
    "npx distillery verify --repair sets it aside, so that its jobs run again (--from STORE: heals it):",
    ...pipelines.map((pipeline) => `  npx distillery run ${pipeline}`)
  ]
}

const checkedLines = (
  checked: Checked,
  repaired: Repaired | undefined,
  paint: Paint
): ReadonlyArray<string> => {
  const { damage, numBlobs, numManifests, sizeBytes, untrusted } = checked
  const whole = `${number(numManifests)} results and ${number(numBlobs)} blobs (${bytes(sizeBytes)})`
  const others =
    untrusted.length === 0
      ? []
      : [`${number(untrusted.length)} results do not count here: ${oneLine(untrusted[0]!.reason)}`]
  if (damage.length === 0) return [`${paint.green("ok")}  ${whole} are what they say`, ...others]
  return [
    ...damage.flatMap((one) => damageLines(one, paint)),
    "",
    `${number(damage.length)} objects are damaged among ${whole}.`,
    ...fixLines(checked, repaired),
    ...others
  ]
}

const progressMillis = 5000

/** Told on a terminal only, and of a store that takes its time. */
const makeProgress = Effect.gen(function* () {
  const { canAnimate, tell } = yield* Output
  let toldAt = yield* Clock.currentTimeMillis
  return Effect.fnUntraced(function* (done: number, total: number) {
    const now = yield* Clock.currentTimeMillis
    if (!canAnimate || now - toldAt < progressMillis) return
    toldAt = now
    yield* tell([`${Math.floor((done / total) * 100)} % of ${number(total)} blobs read`])
  })
})

/** Every blob, some of them by chance, or those that were written within a time. */
const selectionFrom = Effect.fn("verify.selection")(function* ({ sample, since }: VerifyFlags) {
  const cutoff =
    since === undefined ? 0 : (yield* Clock.currentTimeMillis) - (yield* millisFrom("--since", since))
  // A blob's name is as good as chance, and where it begins another one each time.
  const offset = yield* Random.nextIntBetween(0, 0xffff)
  return ({ key, modifiedAtMillis }: ObjectInfo): boolean => {
    const place = (Number.parseInt(key.slice(-4), 16) + offset) % 0x10000
    return modifiedAtMillis >= cutoff && place < (sample / 100) * 0x10000
  }
})

const copiesFrom = Effect.fn("verify.copies")(function* (
  settings: SettingsValue,
  from: ReadonlyArray<string>
) {
  const places = yield* Effect.forEach(from, (address) => namedStore(address, settings))
  yield* Effect.forEach(places, (place) => refuseAbsent(place, nameAnother))
  return yield* Effect.forEach(places, openStore)
})

export const verify = Effect.fn("verify")(function* (flags: VerifyFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const options = { isRead: yield* selectionFrom(flags), onBlob: yield* makeProgress }
  const isRepair = flags.repair || flags.from.length > 0
  const { checked, repaired } = yield* Effect.gen(function* () {
    const copies = yield* copiesFrom(settings, flags.from)
    const checked = yield* check(options)
    return { checked, repaired: isRepair ? yield* repair(checked.damage, copies) : undefined }
  }).pipe(Effect.provide(storageLayer(settings)), Effect.scoped)
  yield* flags.json
    ? printJson({ schemaVersion: 1, ...checked, healed: [], quarantined: [], ...repaired })
    : print(checkedLines(checked, repaired, paint))
  if (checked.damage.length > 0 && repaired === undefined) {
    return yield* new AlreadyReported({ exitCode: exitCodes.integrity })
  }
})
