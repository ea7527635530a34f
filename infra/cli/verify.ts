/** `distillery verify` */
import { Clock, Effect } from "effect"
import { type Checked, check, type Damage, repair } from "../../lib/workflow/Integrity.ts"
import { storageLayer } from "../layers.ts"
import { bytes, number } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { read } from "../settings.ts"
import { AlreadyReported, exitCodes } from "./errors.ts"
import { Output, printJson } from "./Output.ts"

export interface VerifyFlags {
  readonly repair: boolean
  readonly json: boolean
}

const damageLines = ({ jobs, object, reason }: Damage, paint: Paint): ReadonlyArray<string> => [
  `${paint.red("damaged")}  ${object}`,
  `  ${oneLine(reason)}`,
  `  ${jobs.length === 0 ? "no result needs it" : `of ${oneLine(jobs.join(", "))}`}`
]

const fixLines = ({ damage }: Checked, repaired: boolean): ReadonlyArray<string> => {
  if (repaired) return ["All of it was removed: its jobs run again when their pipelines do."]
  const pipelines = [...new Set(damage.flatMap(({ jobs }) => jobs.map((job) => job.split("/")[0]!)))]
  return [
    "npx distillery verify --repair removes it, so that its jobs run again:",
    ...pipelines.map((pipeline) => `  npx distillery run ${pipeline}`)
  ]
}

const checkedLines = (checked: Checked, repaired: boolean, paint: Paint): ReadonlyArray<string> => {
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

export const verify = Effect.fn("verify")(function* (flags: VerifyFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const onBlob = yield* makeProgress
  const { checked, removed } = yield* Effect.gen(function* () {
    const checked = yield* check(onBlob)
    return { checked, removed: flags.repair ? yield* repair(checked.damage) : [] }
  }).pipe(Effect.provide(storageLayer(settings)))
  yield* flags.json
    ? printJson({ schemaVersion: 1, ...checked, removed })
    : print(checkedLines(checked, flags.repair, paint))
  if (checked.damage.length > 0 && !flags.repair) {
    return yield* new AlreadyReported({ exitCode: exitCodes.integrity })
  }
})
