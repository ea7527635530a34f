/**
 * A toy pipeline and an engine in memory to run it on: numbers → total → scaled, and a table that reads many.
 * What can be edited between two runs is the world: the code of a stage, and what its body does.
 */

import { Effect, Layer, Schema } from "effect"
import { inProcessExecutorLayer } from "../../infra/executors/InProcessExecutor.ts"
import { digestOf, hasherLayer } from "../../infra/hashing.ts"
import { BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import { OwnerLiveness } from "../../lib/storage/Lease.ts"
import { leasesLayer } from "../../lib/storage/leases.ts"
import { memoryObjectStoreLayer } from "../../lib/storage/MemoryObjectStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import * as Artifact from "../../lib/workflow/Artifact.ts"
import { Capabilities, CodeClosure, type CodeIdentity } from "../../lib/workflow/CodeClosure.ts"
import { ExternalInputs } from "../../lib/workflow/ExternalInputs.ts"
import { manifestStoreLayer } from "../../lib/workflow/ManifestStore.ts"
import * as Pipeline from "../../lib/workflow/Pipeline.ts"
import { recordingReporterLayer } from "../../lib/workflow/Reporter.ts"
import type { RunEvent } from "../../lib/workflow/RunEvent.ts"
import { runnerLayer } from "../../lib/workflow/Runner.ts"
import * as Stage from "../../lib/workflow/Stage.ts"
import { testSeals, testSigning } from "./signing.ts"

export const Numbers = Artifact.type("numbers", Schema.Struct({ values: BlobRef }))
export const Total = Artifact.type("total", Schema.Struct({ value: Schema.Number }))
export const Table = Artifact.type(
  "table",
  Schema.Struct({ rows: Schema.Record(Schema.String, Schema.Number) })
)

export class ToyError extends Schema.TaggedError<ToyError>()("ToyError", { message: Schema.String }) {}

/** Everything outside the pipeline that a test may change. */
export interface World {
  /** Declarations and packages by stage; a stage that is not named has one declaration. */
  readonly code: { [stage: string]: Pick<CodeIdentity, "declarations" | "packages"> }
  /** What a body does before its work, by stage. */
  readonly before: { [stage: string]: Effect.Effect<void, { readonly message: string }> }
  /** Bodies that ran, in order, by stage. */
  readonly ran: Array<string>
  readonly events: Array<RunEvent>
  /** What files and folders outside hold, by path. */
  outside: { [path: string]: string }
  /** Capabilities that the machine refuses, with the reason. */
  readonly refused: { [capability: string]: string }
  /** Bodies that were loaded. */
  readonly loaded: Array<string>
}

export const makeWorld = (): World => ({
  code: {},
  before: {},
  ran: [],
  events: [],
  outside: {},
  refused: {},
  loaded: []
})

export const codeOf = (text: string) => digestOf(text)

const NumbersParams = Schema.Struct({ values: Schema.Array(Schema.Number) })
const ScaleParams = Schema.Struct({ factor: Schema.Number, precision: Schema.optionalKey(Schema.String) })

interface TotalInputs {
  readonly numbers: typeof Numbers.schema.Type
}
interface ScaleArgs {
  readonly params: typeof ScaleParams.Type
  readonly inputs: { readonly total: { readonly value: number } }
}
interface TableInputs {
  readonly rows: { readonly [name: string]: { readonly value: number } }
}

/** The stages, whose bodies act on `world`. */
const stagesOf = (world: World) => {
  const enter = Effect.fnUntraced(function* (stage: string) {
    world.ran.push(stage)
    yield* world.before[stage] ?? Effect.void
  })
  const body = <A>(stage: string, run: A): Promise<{ readonly run: A }> => {
    world.loaded.push(stage)
    return Promise.resolve({ run })
  }
  const numbers = Stage.make("numbers", {
    params: NumbersParams,
    inputs: {},
    output: Numbers,
    run: () =>
      body(
        "numbers",
        Effect.fnUntraced(function* ({ params }: { readonly params: typeof NumbersParams.Type }) {
          yield* enter("numbers")
          const bytes = new TextEncoder().encode(JSON.stringify(params.values))
          return { values: yield* (yield* BlobStore).put(bytes) }
        })
      )
  })
  const total = Stage.make("total", {
    params: Schema.Struct({}),
    inputs: { numbers: Numbers },
    output: Total,
    run: () =>
      body(
        "total",
        Effect.fnUntraced(function* (args: { readonly inputs: TotalInputs }) {
          yield* enter("total")
          const bytes = yield* (yield* BlobStore).get(args.inputs.numbers.values)
          const values = JSON.parse(new TextDecoder().decode(bytes)) as ReadonlyArray<number>
          return { value: values.reduce((a, b) => a + b, 0) }
        })
      )
  })
  const scale = Stage.make("scale", {
    params: ScaleParams,
    inputs: { total: Total },
    output: Total,
    capabilities: (params) => (params.precision === undefined ? [] : [params.precision]),
    run: () =>
      body(
        "scale",
        Effect.fnUntraced(function* (args: ScaleArgs) {
          yield* enter("scale")
          return { value: args.inputs.total.value * args.params.factor }
        })
      )
  })
  const table = Stage.make("table", {
    params: Schema.Struct({}),
    inputs: { rows: Stage.many(Total) },
    output: Table,
    run: () =>
      body(
        "table",
        Effect.fnUntraced(function* (args: { readonly inputs: TableInputs }) {
          yield* enter("table")
          const rows = Object.entries(args.inputs.rows).map(([name, { value }]) => [name, value])
          return { rows: Object.fromEntries(rows) }
        })
      )
  })
  return { numbers, total, scale, table }
}

export interface ToyParams {
  readonly values: ReadonlyArray<number>
  readonly double: number
  readonly triple: number
  readonly precision?: string
}

export const toyParams: ToyParams = { values: [1, 2, 3], double: 2, triple: 3 }

/** numbers → total → { double, triple } → table. */
export const toyPipeline = (world: World, params: ToyParams = toyParams): Pipeline.Pipeline => {
  const stages = stagesOf(world)
  const numbers = stages.numbers({ params: { values: params.values }, inputs: {} })
  const total = stages.total({ params: {}, inputs: { numbers } })
  const precision = params.precision === undefined ? {} : { precision: params.precision }
  const double = stages.scale({ params: { factor: params.double, ...precision }, inputs: { total } })
  const triple = stages.scale({ params: { factor: params.triple }, inputs: { total } })
  const table = stages.table({ params: {}, inputs: { rows: { double, triple } } })
  return Pipeline.make("toy", "numbers, scaled", { numbers, total, double, triple, table })
}

const codeLayer = (world: World) =>
  Layer.succeed(CodeClosure, {
    check: () => Effect.void,
    of: ({ stageName }) => {
      const { declarations, packages } = world.code[stageName] ?? {
        declarations: { [`stages/${stageName}.run.ts#run`]: codeOf(stageName) },
        packages: { effect: "4.1.0 sha512-a" }
      }
      const digest = digestOf(JSON.stringify([declarations, packages]))
      const lines = Object.fromEntries(Object.keys(declarations).map((id) => [id, 3]))
      return Effect.succeed({ identity: { digest, declarations, packages }, lines })
    }
  })

const externalsLayer = (world: World) =>
  Layer.succeed(ExternalInputs, {
    digest: ({ path }) => {
      const content = world.outside[path]
      const reason = "it does not exist"
      return content === undefined ? Effect.fail({ path, reason }) : Effect.succeed(digestOf(content))
    },
    changes: () => Effect.succeed(undefined)
  })

const capabilitiesLayer = (world: World) =>
  Layer.succeed(Capabilities, { refusal: (capability) => Effect.succeed(world.refused[capability]) })

export const memoryStorage = blobStoreLayer.pipe(
  Layer.provideMerge(memoryObjectStoreLayer),
  Layer.provideMerge(hasherLayer)
)

/** Without I/O, whose time is not the test clock's. */
const livenessLayer = Layer.succeed(OwnerLiveness, {
  self: { host: "here", pid: process.pid, incarnation: "this one" },
  isGone: () => Effect.succeed(false)
})

/** The engine without its storage, so that a test can run it twice, as two processes would. */
export const toyEngine = (world: World) =>
  runnerLayer.pipe(
    Layer.provideMerge(leasesLayer({ leaseMillis: 30_000, scope: mainScope })),
    Layer.provideMerge(livenessLayer),
    Layer.provideMerge(manifestStoreLayer),
    Layer.provideMerge(testSigning),
    Layer.provideMerge(codeLayer(world)),
    Layer.provideMerge(capabilitiesLayer(world)),
    Layer.provideMerge(externalsLayer(world)),
    Layer.provideMerge(recordingReporterLayer(world.events)),
    Layer.provideMerge(
      Layer.provide(
        Layer.suspend(() => inProcessExecutorLayer(Layer.empty)),
        testSeals
      )
    )
  )
