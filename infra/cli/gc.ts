/** `distillery gc` */
import { Effect } from "effect"
import { findGarbage, type Garbage, type GarbageFound, sweep } from "../../lib/workflow/Garbage.ts"
import { keepingLayer } from "../layers.ts"
import { bytes } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read } from "../settings.ts"
import { UsageError } from "./errors.ts"
import { findLocalGarbage, type LocalFile, removeLocal } from "./localGarbage.ts"
import { Output, printJson } from "./Output.ts"

export interface GcFlags {
  readonly keepRuns: number
  readonly olderThan: string
  readonly yes: boolean
  readonly json: boolean
}

const unitMillis: { readonly [unit: string]: number } = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 }

/** `14d`, `12h`, `30m`, `0d`; days where no unit is given. */
const graceFrom = (text: string): Effect.Effect<number, UsageError> => {
  const [, count, unit = "d"] = /^(\d+(?:\.\d+)?)([dhms])?$/.exec(text.trim()) ?? []
  if (count !== undefined) return Effect.succeed(Number(count) * unitMillis[unit]!)
  return Effect.fail(
    new UsageError({ what: `--older-than: "${text}" is no time`, fix: "Write days or hours: 14d, 12h" })
  )
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

/** What goes of each job, the most bytes first; what belongs to no job, by its kind. */
const groupsOf = (garbage: ReadonlyArray<Garbage>): ReadonlyArray<Group> => {
  const groups = new Map<string, Group>()
  for (const { info, kind, owner = kindNames[kind] } of garbage) {
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
  readonly found: GarbageFound
  readonly removed: boolean
}

const accountLines = ({ found, groups, removed }: Account, paint: Paint): ReadonlyArray<string> => {
  const running =
    found.numOpenRuns === 0
      ? []
      : [`What runs that go on now may need is kept (${found.numOpenRuns} of them).`]
  if (groups.length === 0) {
    return [
      `Nothing to remove: the store holds ${bytes(found.sizeBytes)}, all of it in use or young.`,
      ...running
    ]
  }
  const rows = groups.map(({ objects, owner, results, sizeBytes }) => [
    paint.bold(oneLine(owner)),
    results === 0 ? "" : String(results),
    String(objects),
    bytes(sizeBytes)
  ])
  const did = removed ? "Removed" : "Would remove"
  const right = (title: string) => ({ title, align: "right" as const })
  return [
    ...table([{ title: "what" }, right("results"), right("objects"), right("size")], rows, paint),
    "",
    `${did} ${bytes(sum(groups))}; the store ${removed ? "held" : "holds"} ${bytes(found.sizeBytes)}`,
    ...running
  ]
}

const accountDocument = ({ found, groups, removed }: Account) => ({
  schemaVersion: 1,
  removed,
  sizeBytes: sum(groups),
  storeBytes: found.sizeBytes,
  numOpenRuns: found.numOpenRuns,
  groups
})

export const gc = Effect.fn("gc")(function* (flags: GcFlags) {
  const { paint, print, tell } = yield* Output
  const settings = yield* read
  const options = { graceMillis: yield* graceFrom(flags.olderThan), keepRuns: flags.keepRuns }
  const account = yield* Effect.gen(function* () {
    const found = yield* findGarbage(options)
    // A run that goes on loads code when a job starts.
    const local =
      found.numOpenRuns > 0 ? [] : yield* Effect.promise(() => findLocalGarbage(settings, options))
    if (!flags.yes) {
      return { found, groups: [...groupsOf(found.garbage), ...localGroups(local)], removed: false }
    }
    const removed = yield* sweep(found.garbage)
    yield* Effect.promise(() => removeLocal(local))
    return { found, groups: [...groupsOf(removed), ...localGroups(local)], removed: true }
  }).pipe(Effect.provide(keepingLayer(settings)))
  yield* flags.json ? printJson(accountDocument(account)) : print(accountLines(account, paint))
  if (!flags.yes && !flags.json && account.groups.length > 0) {
    yield* tell(["Nothing was removed yet: add --yes to do it"])
  }
})
