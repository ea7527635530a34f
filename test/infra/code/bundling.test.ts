/** What is executed is what was hashed; esbuild's process is there while something is bundled. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundle } from "../../../infra/code/bundling.ts"
import { packageRootOf } from "../../../infra/code/packageRoot.ts"
import { bundleOf, edit, files, makePackage } from "../../support/editedPackage.ts"
import { until } from "../../support/processes.ts"

interface Loaded {
  readonly train: { readonly stageName: string; readonly run: () => Promise<{ readonly run: Body }> }
}
type Body = (
  shape: object
) => readonly [number, unknown, unknown, (name: string) => Promise<{ size: number }>]

/** Beside the packages of the toy root, where its bare imports resolve without a hook. */
const load = (file: string) =>
  Effect.promise<Loaded>(() => import(/* @vite-ignore */ pathToFileURL(file).href))

describe("a bundle", () => {
  it.effect("exports the stage with the body that was hashed, under its digest", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const { file } = yield* bundleOf(root)
      const { train } = yield* load(file)
      assert.strictEqual(train.stageName, "train")
      const { run } = yield* Effect.promise(() => train.run())
      assert.strictEqual(run({ rows: 4 })[0], 2)
      edit(root, "lib/half.ts", "export const half = (n: number): number => n / 4")
      assert.notStrictEqual((yield* bundleOf(root)).file, file)
    })
  )

  it.effect("holds what was reached, and nothing beside it", () =>
    Effect.gen(function* () {
      const { file } = yield* bundleOf(makePackage())
      const text = readFileSync(file, "utf8")
      assert.include(text, "n / 2")
      for (const absent of ["idle", "TaggedError", "unusedEffect", "size = 100"])
        assert.notInclude(text, absent)
    })
  )

  it.effect("has the entry of a registry that the job names; another one says what is wrong", () =>
    Effect.gen(function* () {
      const { train } = yield* load((yield* bundleOf(makePackage(), "large")).file)
      const { run } = yield* Effect.promise(() => train.run())
      const loadModel = run({ rows: 4 })[3]
      assert.strictEqual((yield* Effect.promise(() => loadModel("large"))).size, 100)
      assert.throws(() => void loadModel("small"), /entry "small" of a list in lib\/models.ts .* params/)
    })
  )

  it.effect("leads errors back to the lines of the sources", () =>
    Effect.gen(function* () {
      const root = makePackage()
      edit(
        root,
        "lib/half.ts",
        `${files["lib/half.ts"]!.replace("n / 2", "{\n  throw new Error(String(n))\n}")}`
      )
      const { file } = yield* bundleOf(root)
      const map = JSON.parse(readFileSync(`${file}.map`, "utf8")) as { sources: ReadonlyArray<string> }
      assert.include(map.sources, "../../lib/half.ts")
      assert.match(readFileSync(file, "utf8"), /\/\/# sourceMappingURL=[0-9a-f]{64}\.mjs\.map\n$/)
    })
  )

  it.effect("that was tampered with is made anew", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const { file } = yield* bundleOf(root)
      const text = readFileSync(file, "utf8")
      writeFileSync(file, `${text}\n// more`)
      assert.strictEqual((yield* bundleOf(root)).file, file)
      assert.strictEqual(readFileSync(file, "utf8"), text)
    })
  )

  it.effect("is made anew when the engine changes", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const { file } = yield* bundleOf(root)
      edit(root, "lib/workflow/brand.ts", "export const brand = 2")
      assert.notStrictEqual((yield* bundleOf(root)).file, file)
    })
  )
})

/** Its processes among our children, from Linux's `/proc`. */
const esbuilds = (): ReadonlyArray<string> =>
  readdirSync(`/proc/${process.pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter((pid) => pid !== "" && existsSync(`/proc/${pid}/cmdline`))
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("esbuild"))

const children = `/proc/${process.pid}/task/${process.pid}/children`
const skipped = existsSync(children) ? "" : " (skipped: this system does not list a process's children)"

const once = () => {
  const root = packageRootOf(import.meta.url)
  const entry = "test/fixtures/toy/sum.ts"
  const texts = new Map([[entry, "export const a: number = 1"]])
  return bundle({ root, entry, texts, isEngine: () => false, folder: "code" })
}

describe(`esbuild's process${skipped}`, () => {
  it.skipIf(skipped !== "")("ends soon after the last bundling, and comes back for the next", async () => {
    await until(() => esbuilds().length === 0, 5_000)
    const first = await once()
    assert.lengthOf(esbuilds(), 1)
    await until(() => esbuilds().length === 0, 5_000)
    assert.deepStrictEqual(await Promise.all([once(), once()]), [first, first])
    assert.lengthOf(esbuilds(), 1)
    await until(() => esbuilds().length === 0, 5_000)
  })

  it("is given nothing that was not hashed", async () => {
    const root = packageRootOf(import.meta.url)
    const texts = new Map([["stages/report.ts", 'export * from "./ingest.ts"']])
    const options = { root, entry: "stages/report.ts", texts, isEngine: () => false, folder: "code" }
    await bundle(options).then(
      () => assert.fail("it was bundled"),
      (error: Error) => assert.match(error.message, /stages\/ingest.ts was not hashed/)
    )
  })
})
