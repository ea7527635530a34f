/** `distillery push`, `pull` and `copy` */
import { existsSync, realpathSync } from "node:fs"
import { Clock, Context, DateTime, Effect, Layer } from "effect"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { Signer } from "../../lib/storage/Signature.ts"
import { type CopySelection, type Remark, select } from "../../lib/workflow/CopySelection.ts"
import { whileOpen } from "../../lib/workflow/OpenRuns.ts"
import { SeenRecord, SeenResults } from "../../lib/workflow/SeenResults.ts"
import {
  type Copied,
  type CopyPlan,
  type CopyProgress,
  copy,
  planCopy
} from "../../lib/workflow/StoreCopy.ts"
import { bytes, number } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { read, type SettingsValue } from "../settings.ts"
import { copyingLayer, seenLayer, sideLayer } from "../storageLayers.ts"
import { type StorePlace, s3Url } from "../stores/storePlace.ts"
import { copyTargets } from "./copyTargets.ts"
import { AlreadyReported, exitCodes, UsageError } from "./errors.ts"
import { nameAnother, namedStore, refuseAbsent } from "./namedStore.ts"
import { Output, printJson } from "./Output.ts"

export interface TransferFlags {
  readonly what: ReadonlyArray<string>
  readonly alone: boolean
  readonly dryRun: boolean
  readonly json: boolean
}

export interface CopyFlags extends TransferFlags {
  /** Addresses; absent: the store that DISTILLERY_STORE names. */
  readonly from?: string
  readonly to?: string
}

interface Ends {
  readonly from: StorePlace
  readonly to: StorePlace
}

const placeOf = (address: string | undefined, settings: SettingsValue) =>
  address === undefined ? Effect.succeed(settings.store) : namedStore(address, settings)

const shown = (place: StorePlace): string => (place.kind === "s3" ? s3Url(place) : place.folder)

/** Two names of one folder are one. */
const identityOf = (place: StorePlace): string =>
  place.kind === "folder" && existsSync(place.folder) ? realpathSync(place.folder) : shown(place)

const endsOf = Effect.fn("copy.endsOf")(function* (flags: CopyFlags, settings: SettingsValue) {
  const from = yield* placeOf(flags.from, settings)
  const to = yield* placeOf(flags.to, settings)
  if (identityOf(from) === identityOf(to)) {
    return yield* new UsageError({
      what: `both stores are ${shown(to)}`,
      why: "Nothing is copied from a store to itself",
      fix: "Name another one, or let DISTILLERY_STORE be the one on this side"
    })
  }
  const fix = flags.from === undefined ? "Make results first: npx distillery run quickstart" : nameAnother
  yield* refuseAbsent(from, fix)
  return { from, to } satisfies Ends as Ends
})

const progressMillis = 2000

/** On a terminal only. */
const makeProgress = Effect.fn("copy.makeProgress")(function* ({ pending, sizeBytes }: CopyPlan) {
  const { canAnimate, tell } = yield* Output
  let toldAt = yield* Clock.currentTimeMillis
  return Effect.fnUntraced(function* (done: CopyProgress) {
    const now = yield* Clock.currentTimeMillis
    if (!canAnimate || now - toldAt < progressMillis) return
    toldAt = now
    const results = `${number(done.numResults)} of ${number(pending.length)} results`
    yield* tell([`${results}, ${bytes(done.sizeBytes)} of ${bytes(sizeBytes)}`])
  })
})

interface Outcome {
  readonly selection: CopySelection
  readonly plan: CopyPlan
  /** Absent where nothing was to be done. */
  readonly copied: Copied | undefined
}

const transfer = Effect.fn("copy.transfer")(function* (
  flags: CopyFlags,
  { from, to }: Ends,
  settings: SettingsValue
) {
  const { tell } = yield* Output
  const told = (line: string): void => void Effect.runFork(tell([line]))
  const patience = { millis: settings.storePatienceSeconds * 1000, tell: told }
  const open = (place: StorePlace, mustExist: boolean, name: string) =>
    Effect.map(
      Layer.build(Layer.merge(sideLayer(place, { mustExist, patience }), seenLayer(settings, place))),
      (context) => ({
        objects: Context.get(context, ObjectStore),
        blobs: Context.get(context, BlobStore),
        seen: new SeenResults(Context.get(context, SeenRecord))
      })
    ).pipe(
      // The address is not the setting's.
      Effect.catchTag("StoreUnusable", (error) =>
        Effect.fail(new UsageError({ what: oneLine(error.message).replaceAll("DISTILLERY_STORE", name) }))
      )
    )
  const source = yield* open(from, true, flags.from === undefined ? "DISTILLERY_STORE" : "the address")
  const target = yield* open(to, false, flags.to === undefined ? "DISTILLERY_STORE" : "the address")
  const selection = yield* Effect.gen(function* () {
    return yield* select({ roots: yield* copyTargets(flags.what), alone: flags.alone })
  }).pipe(Effect.provideService(ObjectStore, source.objects))
  const plan = yield* planCopy(selection, source, target)
  if (flags.dryRun) return { selection, plan, copied: undefined } satisfies Outcome as Outcome
  const onProgress = yield* makeProgress(plan)
  const { scope } = yield* Signer
  const started = DateTime.formatIso(yield* DateTime.now)
    .replace(/[-:]/g, "")
    .slice(0, 15)
  const keys = plan.pending.map(({ result }) => result.place.key)
  // A sweep of the other store keeps what it is given meanwhile.
  const copied = yield* whileOpen({ runId: `copy-${started}-${process.pid}`, scope }, ({ reads }) =>
    Effect.andThen(reads(keys), copy(selection, plan, { from: source, to: target, onProgress }))
  ).pipe(
    Effect.provideService(ObjectStore, target.objects),
    Effect.onInterrupt(() => tell(["stopped; what was copied stays: the same command copies the rest"]))
  )
  return { selection, plan, copied } satisfies Outcome as Outcome
})

const refusedIn = ({ copied, plan, selection }: Outcome): ReadonlyArray<Remark> => [
  ...selection.refused,
  ...plan.outdated,
  ...(copied?.refused ?? [])
]

const remarkLines = (title: string, remarks: ReadonlyArray<Remark>, paint: Paint): ReadonlyArray<string> => {
  const [first] = remarks
  if (first === undefined) return []
  return [`${paint.yellow(`${number(remarks.length)} ${title}`)}: ${oneLine(first.reason)}`]
}

const outcomeLines = ({ copied, plan, selection }: Outcome, to: StorePlace, paint: Paint) => {
  const did = copied === undefined ? "Would copy" : "Copied"
  const { numResults, numBlobs, sizeBytes } = copied ?? { ...plan, numResults: plan.pending.length }
  const there = plan.numThere === 0 ? "" : `; ${number(plan.numThere)} were there already`
  const missing = selection.missing.length
  const moved = `${number(numResults)} results (${number(numBlobs)} blobs, ${bytes(sizeBytes)})`
  return [
    `${did} ${moved} to ${shown(to)}${there}`,
    ...remarkLines("stay as they are there", plan.occupied, paint),
    ...remarkLines("do not count here", selection.untrusted, paint),
    ...(missing === 0
      ? []
      : [`${number(missing)} results that these were made from are not in the store any more`]),
    ...remarkLines("were not copied", refusedIn({ copied, plan, selection }), paint)
  ]
}

const outcomeDocument = ({ copied, plan, selection }: Outcome, { from, to }: Ends) => ({
  schemaVersion: 1,
  from: shown(from),
  to: shown(to),
  dryRun: copied === undefined,
  results: copied?.numResults ?? plan.pending.length,
  blobs: copied?.numBlobs ?? plan.numBlobs,
  sizeBytes: copied?.sizeBytes ?? plan.sizeBytes,
  alreadyThere: plan.numThere,
  occupied: plan.occupied,
  untrusted: selection.untrusted,
  missing: selection.missing,
  refused: refusedIn({ copied, plan, selection })
})

export const copyStore = Effect.fn("copyStore")(function* (flags: CopyFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const ends = yield* endsOf(flags, settings)
  const outcome = yield* Effect.provide(transfer(flags, ends, settings), copyingLayer(settings))
  yield* flags.json ? printJson(outcomeDocument(outcome, ends)) : print(outcomeLines(outcome, ends.to, paint))
  if (refusedIn(outcome).length > 0) return yield* new AlreadyReported({ exitCode: exitCodes.integrity })
}, Effect.scoped)
