/** Changes of a `MutableProject` at random, each with what must be told of it. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { RandomStream } from "../../lib/tensor/random.ts"
import type { MutableJob, MutableProject } from "./mutableProject.ts"

export interface Mutation {
  /** What was done, for the test's message. */
  readonly title: string
  /** Flags of the command. */
  readonly flags: ReadonlyArray<string>
  readonly apply: () => void
  readonly revert: () => void
  /** The jobs that it concerns, those of their inputs being what they were. */
  readonly concerns: (job: MutableJob) => boolean
  /** The one leaf that differs. */
  readonly leaf: { readonly kind: string; readonly path: RegExp; readonly line?: number }
}

type Make = (project: MutableProject, random: RandomStream) => Mutation

const exactly = (text: string): RegExp => new RegExp(`^${text.replace(/[.[\]()#]/g, "\\$&")}$`)

const pick = <A>(random: RandomStream, from: ReadonlyArray<A>): A => from[random.below(from.length)]!

/** Replaces a text that stands once in a file. */
const edit = (file: string, from: string, to: string) => {
  const before = readFileSync(file, "utf8")
  if (before.split(from).length !== 2) throw new Error(`"${from}" does not stand once in ${file}`)
  return {
    apply: () => writeFileSync(file, before.replace(from, to)),
    revert: () => writeFileSync(file, before)
  }
}

const code: Make = (project, random) => {
  const { id, line, literal, mutated, path } = pick(random, project.code.declarations)
  return {
    title: `code of ${id}`,
    flags: [],
    ...edit(join(project.folder, path), literal, mutated),
    concerns: ({ declarations }) => declarations.has(id),
    leaf: { kind: "code", path: exactly(id), line }
  }
}

/** Nothing depends on comments, on layout, or on what the linter calls style. */
const cosmetics: Make = (project, random) => {
  const { id, literal, path } = pick(random, project.code.declarations)
  const to = pick(random, [
    `/* why */ ${literal}`,
    `(${literal})`,
    `\n  ${literal}`,
    `0x${Number(literal).toString(16)}`
  ])
  return {
    title: `the looks of ${id}`,
    flags: [],
    ...edit(join(project.folder, path), literal, to),
    concerns: () => false,
    leaf: { kind: "code", path: exactly(id) }
  }
}

const param: Make = (project, random) => {
  const job = pick(random, project.jobs)
  const [path, value] = pick(random, [
    ["count", "17"],
    ["deep.word", "other"],
    ["deep.list", "[1,2,99]"],
    ["isSet", "false"]
  ] as const)
  const leaf = path === "deep.list" ? "deep.list[2]" : path
  return {
    title: `param ${job.name}.${path}`,
    flags: ["--set", `${job.name}.${path}=${value}`],
    apply: () => undefined,
    revert: () => undefined,
    concerns: ({ name }) => name === job.name,
    leaf: { kind: "param", path: exactly(leaf) }
  }
}

const lockedPackage: Make = (project, random) => {
  const name = pick(random, project.packageNames)
  const isVersion = random.below(2) === 0
  const entry = { version: isVersion ? "1.0.1" : "1.0.0", integrity: "sha512-other" }
  const lock = { ...project.lock, packages: { ...project.lock.packages, [`node_modules/${name}`]: entry } }
  const set = (version: string, locks: unknown) => {
    project.write(`node_modules/${name}/package.json`, project.packageJsonOf(name, version))
    project.write("package-lock.json", JSON.stringify(locks))
  }
  return {
    title: `${isVersion ? "version" : "integrity"} of package ${name}`,
    flags: [],
    apply: () => set(entry.version, lock),
    revert: () => set("1.0.0", project.lock),
    concerns: ({ packages }) => packages.has(name),
    leaf: { kind: "package", path: exactly(name) }
  }
}

const folder: Make = (project, random) => {
  const job = pick(random, project.jobs.slice(0, 3))
  const path = `input-${job.name.slice(1)}`
  const before = project.read(`${path}/a.txt`)
  const how = pick(random, ["edited", "removed", "added"] as const)
  const apply = {
    edited: () => project.write(`${path}/a.txt`, `${before}!`),
    removed: () => project.remove(`${path}/a.txt`),
    added: () => project.write(`${path}/c.txt`, "c")
  }[how]
  return {
    title: `a file of ${path}, ${how}`,
    flags: [],
    apply,
    revert: () =>
      how === "added" ? project.remove(`${path}/c.txt`) : project.write(`${path}/a.txt`, before),
    concerns: ({ name }) => name === job.name,
    leaf: { kind: "external", path: /^folder$/ }
  }
}

/** Edits of what the image codec is made of, by declaration. */
const codecEdits = [
  ["infra/images/SharpImageCodec.ts", "19595 * pixels", "19596 * pixels", "toGrey"],
  [
    "infra/images/SharpImageCodec.ts",
    "rgb.fill(pixels[i]!, 3 * i, 3 * i + 3)",
    "rgb.fill(7, 3 * i, 3 * i + 3)",
    "toRgb"
  ]
] as const

/** The program runs what it was built of, so it is built again. */
const service: Make = (project, random) => {
  const [path, from, to, name] = pick(random, codecEdits)
  const { apply, revert } = edit(join(project.copy, path), from, to)
  return {
    title: `code of service ImageCodec, ${name}`,
    flags: [],
    apply: () => {
      apply()
      project.build()
    },
    revert: () => {
      revert()
      project.build()
    },
    concerns: ({ usesImageCodec }) => usesImageCodec,
    leaf: { kind: "code", path: exactly(`ImageCodec:${path}#${name}`) }
  }
}

/** Of a hundred: how many are of a kind. */
const shares: ReadonlyArray<readonly [make: Make, share: number]> = [
  [code, 45],
  [cosmetics, 10],
  [param, 20],
  [lockedPackage, 12],
  [folder, 10],
  [service, 3]
]

export const randomMutation: Make = (project, random) => {
  let left = random.below(100)
  for (const [make, share] of shares) {
    if (left < share) return make(project, random)
    left -= share
  }
  throw new Error("the shares do not add up to a hundred")
}
