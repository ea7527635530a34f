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
import { type GeneratedDeclaration, generateCode, reachedFrom } from "./generatedCode.ts"
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

export const makeMutableProject = (seed: number) => {
  const random = RandomStream.make(seed, "mutable project")
  const root = temporaryFolder()
  const copy = join(root, "distillery")
  const folder = join(root, "project")
  for (const part of ["infra", "lib", "stages", "pipelines", "package.json", "tsconfig.json"]) {
    cpSync(join(packageRoot, part), join(copy, part), { recursive: true })
  }
  symlinkSync(join(packageRoot, "node_modules"), join(copy, "node_modules"))
  const build = () => execFileSync(process.execPath, [join(copy, "infra/build.ts")], { stdio: "pipe" })

  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const code = generateCode(random, 24, importable)
  const roots = jobNumbers.map(() =>
    [0, 1].map(() => code.declarations[code.declarations.length - 1 - random.below(40)]!)
  )
  const lock = {
    lockfileVersion: 3,
    packages: Object.fromEntries(
      Object.keys(packageDependencies).map((name) => [
        `node_modules/${name}`,
        { version: "1.0.0", integrity: `sha512-${name}` }
      ])
    )
  }
  const setUp = (): void => {
    for (const [path, text] of Object.entries(code.modules)) write(path, text)
    jobNumbers.forEach((job) => {
      write(`stages/s${job}.run.ts`, bodyOf(roots[job]!))
      if (job < 3) for (const file of ["a.txt", "b.txt"]) write(`input-${job}/${file}`, `${file} of ${job}`)
    })
    const head = `import { Schema } from "effect"\nimport { Artifact, Stage } from "distillery"\n`
    const total = `const Total = Artifact.type("total", Schema.TaggedStruct("Total", { value: Schema.Number }))\n`
    write("stages/contracts.ts", head + total + jobNumbers.map(contract).join(""))
    const names = jobNumbers.map((job) => `s${job}`).join(", ")
    const refs = jobNumbers.map(refOf).join("\n")
    write(
      "pipeline.ts",
      `import { Pipeline } from "distillery"\nimport * as stages from "./stages/contracts.ts"\n${refs}\n` +
        `export const pipeline = Pipeline.make("mutable", "changes at random", { ${names} })\n`
    )
    for (const [name, dependencies] of Object.entries(packageDependencies)) {
      const all = Object.fromEntries(dependencies.map((one) => [one, "1.0.0"]))
      write(`node_modules/${name}/package.json`, packageJson(name, "1.0.0", all))
      write(`node_modules/${name}/index.js`, "export const value = 1\n")
    }
    write("package-lock.json", JSON.stringify(lock))
    write("package.json", '{ "name": "mutable", "type": "module" }')
    symlinkSync(copy, join(folder, "node_modules", "distillery"))
    symlinkSync(join(packageRoot, "node_modules", "effect"), join(folder, "node_modules", "effect"))
  }
  const jobs = jobNumbers.map((job): MutableJob => {
    const reached = reachedFrom(
      code,
      roots[job]!.map(({ id }) => id)
    )
    const direct = reached.flatMap((one) => one.packages)
    return {
      name: `s${job}`,
      reads: job < 3 ? undefined : `s${job - 3}`,
      declarations: new Set(reached.map(({ id }) => id)),
      packages: new Set(direct.flatMap((name) => [name, ...packageDependencies[name]!])),
      usesImageCodec: job > 3
    }
  })
  return {
    folder,
    copy,
    code,
    jobs,
    lock,
    packageNames: Object.keys(packageDependencies),
    packageJsonOf: (name: string, version: string) =>
      packageJson(name, version, Object.fromEntries(packageDependencies[name]!.map((one) => [one, "1.0.0"]))),
    setUp,
    build,
    write,
    read: (path: string) => readFileSync(join(folder, path), "utf8"),
    remove: (path: string) => rmSync(join(folder, path))
  }
}

const packageJson = (
  name: string,
  version: string,
  dependencies: { readonly [name: string]: string }
): string => JSON.stringify({ name, version, type: "module", main: "index.js", dependencies })

export type MutableProject = ReturnType<typeof makeMutableProject>
