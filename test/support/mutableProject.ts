/**
 * A project of which everything a job depends on can be changed at random, and it is known what a change must
 * do: generated code, params, packages that depend on one another, folders, and a copy of Distillery itself,
 * whose services can be changed too.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { packageRootOf } from "../../infra/code/packageRoot.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { type GeneratedCode, type GeneratedDeclaration, generateCode, reachedFrom } from "./generatedCode.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

const packageRoot = packageRootOf(import.meta.url)

/** By name, the ones they depend on. */
const packageDependencies: { readonly [name: string]: ReadonlyArray<string> } = {
  alpha: ["delta"],
  beta: [],
  gamma: ["delta"],
  delta: []
}
const importable = ["alpha", "beta", "gamma"]

const packageJsonOf = (name: string, version: string): string => {
  const dependencies = Object.fromEntries(packageDependencies[name]!.map((one) => [one, "1.0.0"]))
  return JSON.stringify({ name, version, type: "module", main: "index.js", dependencies })
}

export interface MutableJob {
  readonly name: string
  readonly reads: string | undefined
  /** Of the generated code. */
  readonly declarations: ReadonlySet<string>
  readonly packages: ReadonlySet<string>
  readonly usesImageCodec: boolean
}

const params = `Schema.Struct({
  count: Schema.Number,
  deep: Schema.Struct({ word: Schema.String, list: Schema.Array(Schema.Number) }),
  isSet: Schema.Boolean
})`

const contract = (job: number): string => {
  const own = job < 3
  const inputs = own ? "{}" : "{ before: Total }"
  const externals = own
    ? `externals: ({ folder }) => [{ name: "folder", kind: "folder", path: folder, standsFor: ["folder"] }],`
    : ""
  const schema = own ? params.replace("count:", "folder: Schema.String,\n  count:") : params
  return `export const s${job} = Stage.make("s${job}", {
  params: ${schema},
  inputs: ${inputs},
  output: Total,
  ${externals}${job > 3 ? 'resultServices: ["ImageCodec"],' : ""}
  run: () => import("./s${job}.run.ts")
})
`
}

const bodyOf = (roots: ReadonlyArray<GeneratedDeclaration>): string => {
  const imports = roots.map(({ name, path }, i) => `import { ${name} as r${i} } from "../${path}"`)
  const calls = roots.map((_, i) => `r${i}(1)`).join(" + ")
  return [
    'import { Effect } from "effect"',
    ...imports,
    `export const run = () => Effect.sync(() => ({ _tag: "Total" as const, value: ${calls} }))`,
    ""
  ].join("\n")
}

const refOf = (job: number): string => {
  const own = job < 3 ? `folder: "input-${job}", ` : ""
  const values = `${own}count: ${job}, deep: { word: "w${job}", list: [1, 2, ${job}] }, isSet: true`
  const inputs = job < 3 ? "{}" : `{ before: s${job - 3} }`
  return `const s${job} = stages.s${job}({ params: { ${values} }, inputs: ${inputs} })`
}

const jobNumbers = [0, 1, 2, 3, 4, 5]

const makeLock = () => ({
  lockfileVersion: 3,
  packages: Object.fromEntries(
    Object.keys(packageDependencies).map((name) => [
      `node_modules/${name}`,
      { version: "1.0.0", integrity: `sha512-${name}` }
    ])
  )
})

const copyDistillery = (copy: string): void => {
  for (const part of ["infra", "lib", "stages", "pipelines", "package.json", "tsconfig.json"]) {
    cpSync(join(packageRoot, part), join(copy, part), { recursive: true })
  }
  symlinkSync(join(packageRoot, "node_modules"), join(copy, "node_modules"))
}

type Write = (path: string, text: string) => void

const writePackages = (write: Write): void => {
  for (const name of Object.keys(packageDependencies)) {
    write(`node_modules/${name}/package.json`, packageJsonOf(name, "1.0.0"))
    write(`node_modules/${name}/index.js`, "export const value = 1\n")
  }
  write("package-lock.json", JSON.stringify(makeLock()))
  write("package.json", '{ "name": "mutable", "type": "module" }')
}

const contractsHead = `import { Schema } from "effect"
import { Artifact, Stage } from "distillery"
const Total = Artifact.type("total", Schema.TaggedStruct("Total", { value: Schema.Number }))
`

const pipelineText = (): string =>
  [
    'import { Pipeline } from "distillery"',
    'import * as stages from "./stages/contracts.ts"',
    ...jobNumbers.map(refOf),
    `const refs = { ${jobNumbers.map((job) => `s${job}`).join(", ")} }`,
    'export const pipeline = Pipeline.make("mutable", "changes at random", refs)',
    ""
  ].join("\n")

const jobOf = (code: GeneratedCode, job: number, roots: ReadonlyArray<GeneratedDeclaration>): MutableJob => {
  const reached = reachedFrom(
    code,
    roots.map(({ id }) => id)
  )
  const direct = reached.flatMap((one) => one.packages)
  return {
    name: `s${job}`,
    reads: job < 3 ? undefined : `s${job - 3}`,
    declarations: new Set(reached.map(({ id }) => id)),
    packages: new Set(direct.flatMap((name) => [name, ...packageDependencies[name]!])),
    usesImageCodec: job > 3
  }
}

export const makeMutableProject = (seed: number) => {
  const random = RandomStream.make(seed, "mutable project")
  const root = temporaryFolder()
  const copy = join(root, "distillery")
  const folder = join(root, "project")
  copyDistillery(copy)
  const write: Write = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const code = generateCode(random, 24, importable)
  const roots = jobNumbers.map(() =>
    [0, 1].map(() => code.declarations[code.declarations.length - 1 - random.below(40)]!)
  )
  const setUp = (): void => {
    for (const [path, text] of Object.entries(code.modules)) write(path, text)
    for (const job of jobNumbers) {
      write(`stages/s${job}.run.ts`, bodyOf(roots[job]!))
      if (job < 3) for (const file of ["a.txt", "b.txt"]) write(`input-${job}/${file}`, `${file} of ${job}`)
    }
    write("stages/contracts.ts", contractsHead + jobNumbers.map(contract).join(""))
    write("pipeline.ts", pipelineText())
    writePackages(write)
    symlinkSync(copy, join(folder, "node_modules", "distillery"))
    symlinkSync(join(packageRoot, "node_modules", "effect"), join(folder, "node_modules", "effect"))
  }
  return {
    folder,
    copy,
    code,
    jobs: jobNumbers.map((job) => jobOf(code, job, roots[job]!)),
    lock: makeLock(),
    packageNames: Object.keys(packageDependencies),
    packageJsonOf,
    setUp,
    /** The copy of Distillery, from its sources as they are. */
    build: () => execFileSync(process.execPath, [join(copy, "infra/build.ts")], { stdio: "pipe" }),
    write,
    read: (path: string) => readFileSync(join(folder, path), "utf8"),
    remove: (path: string) => rmSync(join(folder, path))
  }
}

export type MutableProject = ReturnType<typeof makeMutableProject>
