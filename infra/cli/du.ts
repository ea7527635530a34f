/** `distillery du` */
import { Effect } from "effect"
import { findGarbage } from "../../lib/workflow/Garbage.ts"
import {
  restBytes,
  type StoredResult,
  type StoreListing,
  storeListing,
  type Usage,
  usageBy
} from "../../lib/workflow/StoreUsage.ts"
import { bytes, number } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read } from "../settings.ts"
import { keepingLayer } from "../storageLayers.ts"
import { cachedBytesIn } from "../stores/BlobCache.ts"
import { Output, printJson } from "./Output.ts"

export interface DuFlags {
  readonly by: "pipeline" | "job" | "scope"
  readonly json: boolean
}

const owners: { readonly [by in DuFlags["by"]]: (result: StoredResult) => string } = {
  pipeline: ({ pipeline }) => pipeline,
  job: ({ job, pipeline }) => `${pipeline}/${job}`,
  scope: ({ scope }) => scope
}

/** What `gc` takes unless it is told otherwise. */
const asGc = { graceMillis: 14 * 86_400_000, keepRuns: 10 }

interface Account {
  readonly usage: ReadonlyArray<Usage>
  readonly rest: ReturnType<typeof restBytes>
  readonly storeBytes: number
  readonly garbageBytes: number
}

const accountOf = (listing: StoreListing, by: DuFlags["by"], garbageBytes: number): Account => ({
  usage: usageBy(listing.results, owners[by]),
  rest: restBytes(listing),
  storeBytes: listing.objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  garbageBytes
})

const accountLines = ({ garbageBytes, rest, storeBytes, usage }: Account, by: string, paint: Paint) => {
  const right = (title: string) => ({ title, align: "right" as const })
  const rows = usage.map(({ numResults, owner, ownBytes, sizeBytes }) => [
    paint.bold(oneLine(owner)),
    number(numResults),
    bytes(sizeBytes),
    bytes(ownBytes)
  ])
  const others = [
    ["states of training", rest.states],
    ["blobs that no result names", rest.unnamedBlobs],
    ["trash and quarantine", rest.setAside],
    ["records", rest.records]
  ] as const
  return [
    ...table(
      [{ title: by }, right("results"), right("size"), right("its own")],
      [
        ...rows,
        ...others.flatMap(([name, size]) =>
          size === 0 ? [] : [[paint.dim(name), "", bytes(size), bytes(size)]]
        )
      ],
      paint
    ),
    "",
    `The store holds ${bytes(storeBytes)}, what is shared counted once; ` +
      `gc would remove ${bytes(garbageBytes)}`
  ]
}

export const du = Effect.fn("du")(function* (flags: DuFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const account = yield* Effect.gen(function* () {
    const listing = yield* storeListing
    const { garbage } = yield* findGarbage(asGc)
    const garbageBytes = garbage.reduce((sum, { info }) => sum + info.sizeBytes, 0)
    return accountOf(listing, flags.by, garbageBytes)
  }).pipe(Effect.provide(keepingLayer(settings)))
  const { blobCache } = settings
  const cacheBytes = blobCache === undefined ? undefined : cachedBytesIn(blobCache.folder)
  if (flags.json) {
    return yield* printJson({ schemaVersion: 1, by: flags.by, ...account, cacheBytes: cacheBytes ?? 0 })
  }
  const here =
    blobCache === undefined || cacheBytes === undefined
      ? []
      : [
          `This machine keeps ${bytes(cacheBytes)} of at most ${bytes(blobCache.sizeBytesMax)} ` +
            `in ${blobCache.folder}`
        ]
  yield* print([...accountLines(account, flags.by, paint), ...here])
})
