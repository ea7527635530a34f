/** `distillery gc` */
import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { findGarbage, type Garbage, type GarbageFound } from "../../lib/workflow/Garbage.ts"
import { restore, type Swept, sweep } from "../../lib/workflow/Sweep.ts"
import { bytes, number } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read, type SettingsValue } from "../settings.ts"
import { keepingLayer } from "../storageLayers.ts"
import { UsageError } from "./errors.ts"
import { findLocalGarbage, type LocalFile, removeLocal } from "./localGarbage.ts"
import { Output, printJson } from "./Output.ts"
import { millisFrom } from "./timeSpans.ts"

export interface GcFlags {
  readonly keepRuns: number
  readonly olderThan: string
  readonly trash: string
  readonly restore: boolean
  readonly yes: boolean
  readonly json: boolean
}

interface Group {
  readonly owner: string
  readonly results: number
  readonly objects: number
  readonly sizeBytes: number
}

const kindNames = {
  result: "results",
  blob: "blobs that no result names",
  state: "states that nobody went on from",
  record: "leases and records of runs that are gone"
} as const

/** What goes of each, the most bytes first. */
const groupsBy = (
  garbage: ReadonlyArray<Garbage>,
  ownerOf: (one: Garbage) => string
): ReadonlyArray<Group> => {
  const groups = new Map<string, Group>()
  for (const one of garbage) {
    const { info, kind } = one
    const owner = ownerOf(one)
    const { objects, results, sizeBytes } = groups.get(owner) ?? { objects: 0, results: 0, sizeBytes: 0 }
    groups.set(owner, {
      owner,
      results: results + (kind === "result" ? 1 : 0),
      objects: objects + 1,
      sizeBytes: sizeBytes + info.sizeBytes
    })
  }
  return [...groups.values()].sort((a, b) => b.sizeBytes - a.sizeBytes)
}

/** What belongs to no job, by its kind. */
const byJob = (garbage: ReadonlyArray<Garbage>): ReadonlyArray<Group> =>
  groupsBy(garbage, ({ kind, owner }) => owner ?? kindNames[kind])

const byRun = (garbage: ReadonlyArray<Garbage>): ReadonlyArray<Group> =>
  groupsBy(
    garbage.filter(({ runId }) => runId !== undefined),
    ({ runId }) => runId!
  )

const localGroups = (files: ReadonlyArray<LocalFile>): ReadonlyArray<Group> =>
  (["code", "log"] as const).flatMap((kind) => {
    const found = files.filter((one) => one.kind === kind)
    const owner = kind === "code" ? "built code that was edited since" : "logs of old runs"
    const sizeBytes = found.reduce((sum, one) => sum + one.sizeBytes, 0)
    return found.length === 0 ? [] : [{ owner, results: 0, objects: found.length, sizeBytes }]
  })

const sum = (groups: ReadonlyArray<Group>): number =>
  groups.reduce((total, { sizeBytes }) => total + sizeBytes, 0)

interface Account {
  readonly groups: ReadonlyArray<Group>
  readonly runs: ReadonlyArray<Group>
  readonly found: GarbageFound
  /** `undefined` where it was only looked at. */
  readonly swept: Swept | undefined
  /** What the trash and the quarantine hold now. */
  readonly trashBytes: number
}

const right = (title: string) => ({ title, align: "right" as const })

const groupTable = (title: string, groups: ReadonlyArray<Group>, paint: Paint): ReadonlyArray<string> =>
  table(
    [{ title }, right("results"), right("objects"), right("size")],
    groups.map(({ objects, owner, results, sizeBytes }) => [
      paint.bold(oneLine(owner)),
      results === 0 ? "" : String(results),
      String(objects),
      bytes(sizeBytes)
    ]),
    paint
  )

const sweptLines = ({ freedBytes, numLeftovers, numRestored }: Swept): ReadonlyArray<string> => [
  ...(numRestored === 0
    ? []
    : [`${number(numRestored)} objects were put back: they came to be needed meanwhile`]),
  ...(freedBytes === 0 ? [] : [`Freed ${bytes(freedBytes)} whose time in the trash was over`]),
  ...(numLeftovers === 0 ? [] : [`Cleared ${number(numLeftovers)} unfinished writes away`])
]

const trashLines = (trashBytes: number): ReadonlyArray<string> =>
  trashBytes === 0
    ? []
    : [
        `The trash holds ${bytes(trashBytes)}: npx distillery gc --restore puts it back, ` +
          "--yes --trash 0d frees it now"
      ]

/** Rows of the table by run; --json has them all. */
const numRunsMax = 10

const accountLines = (account: Account, paint: Paint): ReadonlyArray<string> => {
  const { found, groups, runs, swept, trashBytes } = account
  const rest = [
    ...(found.numOpenRuns === 0
      ? []
      : [`What runs that go on now may need is kept (${found.numOpenRuns} of them).`]),
    ...(swept === undefined ? [] : sweptLines(swept)),
    ...trashLines(trashBytes)
  ]
  if (groups.length === 0) {
    return [
      `Nothing to remove: the store holds ${bytes(found.sizeBytes)}, all of it in use or young.`,
      ...rest
    ]
  }
  const [did, holds] = swept === undefined ? ["Would remove", "holds"] : ["Removed", "held"]
  return [
    ...groupTable("what", groups, paint),
    "",
    ...(runs.length === 0 ? [] : [...groupTable("made by run", runs.slice(0, numRunsMax), paint), ""]),
    `${did} ${bytes(sum(groups))}; the store ${holds} ${bytes(found.sizeBytes)}`,
    ...rest
  ]
}

const accountDocument = ({ found, groups, runs, swept, trashBytes }: Account) => ({
  schemaVersion: 1,
  removed: swept !== undefined,
  sizeBytes: sum(groups),
  storeBytes: found.sizeBytes,
  trashBytes,
  freedBytes: swept?.freedBytes ?? 0,
  numRestored: swept?.numRestored ?? 0,
  numLeftovers: swept?.numLeftovers ?? 0,
  numOpenRuns: found.numOpenRuns,
  groups,
  runs
})

/** Without conditional writes nothing tells a sweep from a publisher that is faster. */
const checkAlone = Effect.fn("gc.checkAlone")(function* ({ numOpenRuns }: GarbageFound) {
  const { isConditional, location } = yield* ObjectStore
  if (isConditional || numOpenRuns === 0) return
  return yield* new UsageError({
    what: `${numOpenRuns} runs go on, and the store at ${location} decides no conditional writes`,
    why: "there, sweeping beside runs could take what one of them has just published",
    fix: "Wait until they have ended, then sweep"
  })
})

const sweeperOf = ({ signing: { scope } }: SettingsValue) => ({ id: randomUUID(), scope })

const collect = Effect.fn("gc.collect")(function* (flags: GcFlags, settings: SettingsValue) {
  const options = {
    graceMillis: yield* millisFrom("--older-than", flags.olderThan),
    keepRuns: flags.keepRuns
  }
  const termMillis = yield* millisFrom("--trash", flags.trash)
  const found = yield* findGarbage(options)
  // A run that goes on loads code when a job starts.
  const local = found.numOpenRuns > 0 ? [] : yield* Effect.promise(() => findLocalGarbage(settings, options))
  const accountOf = (garbage: ReadonlyArray<Garbage>) => ({
    found,
    groups: [...byJob(garbage), ...localGroups(local)],
    runs: byRun(garbage)
  })
  if (!flags.yes) {
    const trashBytes = found.setAside.reduce((total, { sizeBytes }) => total + sizeBytes, 0)
    return { ...accountOf(found.garbage), swept: undefined, trashBytes } satisfies Account as Account
  }
  yield* checkAlone(found)
  const swept = yield* sweep(found, { termMillis, sweeper: sweeperOf(settings) })
  yield* Effect.promise(() => removeLocal(local))
  return { ...accountOf(swept.removed), swept, trashBytes: swept.trashBytes } satisfies Account as Account
})

const putBack = Effect.fn("gc.putBack")(function* (flags: GcFlags, settings: SettingsValue) {
  const { print } = yield* Output
  const restored = yield* restore(sweeperOf(settings))
  if (flags.json) return yield* printJson({ schemaVersion: 1, ...restored })
  const { numObjects, numResults, sizeBytes } = restored
  yield* print([
    numObjects === 0
      ? "Nothing to put back: the trash is empty."
      : `Put back ${number(numResults)} results (${number(numObjects)} objects, ${bytes(sizeBytes)})`
  ])
})

export const gc = Effect.fn("gc")(function* (flags: GcFlags) {
  const { paint, print, tell } = yield* Output
  const settings = yield* read
  if (flags.restore) return yield* Effect.provide(putBack(flags, settings), keepingLayer(settings))
  const account = yield* Effect.provide(collect(flags, settings), keepingLayer(settings))
  yield* flags.json ? printJson(accountDocument(account)) : print(accountLines(account, paint))
  if (!flags.yes && !flags.json && account.groups.length > 0) {
    yield* tell(["Nothing was removed yet: add --yes to do it"])
  }
})
