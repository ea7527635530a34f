import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import * as Artifact from "../../../lib/workflow/Artifact.ts"
import { JobContext } from "../../../lib/workflow/JobContext.ts"
import * as Pipeline from "../../../lib/workflow/Pipeline.ts"
import { Runner } from "../../../lib/workflow/Runner.ts"
import * as Stage from "../../../lib/workflow/Stage.ts"
import { foldSuite } from "../../suites/fold.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { codeOf, makeWorld, memoryStorage, toyEngine } from "../../support/toyStages.ts"

const Text = Artifact.type("text", Schema.Struct({ text: Schema.String }))

foldSuite("memory", memoryObjectStoreLayer.pipe(Layer.provideMerge(hasherLayer)))
foldSuite(
  "file",
  Layer.unwrap(Effect.sync(() => fileObjectStoreLayer(temporaryFolder()))).pipe(
    Layer.provideMerge(hasherLayer)
  )
)

/** Elements that the body executed, in order. */
type Executed = Array<string>

interface ChainParams {
  readonly elements: ReadonlyArray<string>
  readonly start: string
}

const chainOf = (executed: Executed, elements: ReadonlyArray<string>, length: number) => {
  const numbers = Stage.make("numbers", {
    params: Schema.Struct({ length: Schema.Int }),
    inputs: {},
    output: Text,
    run: () =>
      Promise.resolve({
        run: ({ params }: { readonly params: { readonly length: number } }) =>
          Effect.succeed({ text: `${params.length}` })
      })
  })
  const chain = Stage.make("chain", {
    params: Schema.Struct({ elements: Schema.Array(Schema.String), start: Schema.String }),
    inputs: { numbers: Text },
    output: Text,
    run: () =>
      Promise.resolve({
        run: Effect.fnUntraced(function* ({ params }: { readonly params: ChainParams }) {
          const fold = yield* (yield* JobContext).fold({ start: params.start, elements: params.elements })
          const found = yield* fold.latest((bytes) => Effect.succeed(new TextDecoder().decode(bytes)))
          let { done, state } = Option.getOrElse(found, () => ({ done: 0, state: params.start }))
          for (const element of params.elements.slice(done)) {
            executed.push(element)
            state += element
            done++
            yield* fold.save(done, new TextEncoder().encode(state))
          }
          return { text: state }
        })
      })
  })
  const source = numbers({ params: { length }, inputs: {} })
  const result = chain({ params: { elements, start: "" }, inputs: { numbers: source } })
  return Pipeline.make("chained", "a fold on an input", { source, result })
}

interface Edit {
  readonly edit: string
  readonly elements?: ReadonlyArray<string>
  readonly length?: number
  readonly code?: string
  readonly force?: ReadonlyArray<string>
  readonly executed: ReadonlyArray<string>
}

describe("a fold in a pipeline", () => {
  const edits: ReadonlyArray<Edit> = [
    { edit: "nothing", executed: [] },
    { edit: "more elements", elements: ["a", "b", "c", "d"], executed: ["d"] },
    { edit: "another tail", elements: ["a", "b", "x"], executed: ["x"] },
    { edit: "the code of the stage", code: "edited", executed: ["a", "b", "c"] },
    { edit: "an input", length: 2, executed: ["a", "b", "c"] },
    { edit: "force", force: ["result"], executed: ["a", "b", "c"] }
  ]
  it.effect.each(edits)("after an edit of $edit executes $executed", (edit) =>
    Effect.gen(function* () {
      const executed: Executed = []
      const run = ({ code, elements = ["a", "b", "c"], force = [], length = 1 }: Partial<Edit>) => {
        const world = makeWorld()
        if (code !== undefined)
          world.code.chain = { declarations: { "chain#run": codeOf(code) }, packages: {} }
        const options = { selection: { force }, concurrency: 1 }
        return Effect.flatMap(Runner, (runner) =>
          runner.run(chainOf(executed, elements, length), options)
        ).pipe(Effect.provide(toyEngine(world)))
      }
      yield* run({})
      executed.length = 0
      const { manifests, report } = yield* run(edit)
      assert.strictEqual(report.status, "ok")
      assert.deepStrictEqual(executed, edit.executed)
      const text = (edit.elements ?? ["a", "b", "c"]).join("")
      assert.deepStrictEqual(manifests.result!.output.value, { text })
    }).pipe(Effect.provide(memoryStorage))
  )
})
