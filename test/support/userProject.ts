/**
 * A project of a user's own beside the package: two stages, `first-line` (A) and `page` (B), in a pipeline
 * given by its path. Every body writes down that it ran, outside of all that Distillery knows of.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packageRootOf } from "../../infra/code/packageRoot.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

const packageRoot = packageRootOf(import.meta.url)

const contracts = `import { Effect, Schema } from "effect"
import { Artifact, Stage } from "distillery"
import { Report } from "distillery/stages/artifacts"

export const Line = Artifact.type("line", Schema.TaggedStruct("Line", { text: Schema.String }))

export const firstLine = Stage.make("first-line", {
  params: Schema.Struct({ folder: Schema.String }),
  inputs: {},
  output: Line,
  externals: ({ folder }) => [{ name: "folder", kind: "folder", path: folder, standsFor: ["folder"] }],
  run: () => import("./first-line.run.ts")
})
export const page = Stage.make("page", {
  params: Schema.Struct({ title: Schema.String }),
  inputs: { line: Line },
  output: Report,
  run: () => import("./page.run.ts")
})
`

const firstLineRun = (log: string, slow: string) => `import { appendFileSync, existsSync } from "node:fs"
import { Effect } from "effect"
import { SourceFiles } from "distillery"

interface Args {
  readonly params: { readonly folder: string }
}

export const run = Effect.fn("first-line")(function* ({ params }: Args) {
  while (existsSync(${JSON.stringify(slow)})) yield* Effect.sleep(20)
  appendFileSync(${JSON.stringify(log)}, "A")
  const { files } = yield* (yield* SourceFiles).folder(params.folder)
  const text = new TextDecoder().decode(yield* files[0]!.bytes)
  return { _tag: "Line" as const, text: text.split("\\n")[0]! }
})
`

const pageRun = (log: string) => `import { appendFileSync } from "node:fs"
import { Effect } from "effect"
import { BlobStore } from "distillery"
import { framed } from "../text/framed.ts"

interface Args {
  readonly params: { readonly title: string }
  readonly inputs: { readonly line: { readonly text: string } }
}

export const run = Effect.fn("page")(function* ({ inputs, params }: Args) {
  appendFileSync(${JSON.stringify(log)}, "B")
  const blobs = yield* BlobStore
  const text = framed(params.title, inputs.line.text + (process.env.FOO ?? "none"))
  const html = yield* blobs.put(new TextEncoder().encode(text))
  return { _tag: "Report" as const, html, json: html, samples: [] }
})
`

/** Three imports deep from the body of \`page\`, with neighbours of the kind that bundlers keep. */
const textModules = {
  "text/framed.ts": `import { line } from "./line.ts"
export const framed = (title: string, text: string): string => line(title) + line(text)
export const unframed = (text: string): string => text
`,
  "text/line.ts": `import { Schema } from "effect"
import { mark } from "./mark.ts"
export const line = (text: string): string => mark(text) + "\\n"
export const Unused = Schema.Struct({ text: Schema.String })
`,
  "text/mark.ts": `import { Effect, Schema } from "effect"
export const mark = (text: string): string => "* " + text
export class Unmarked extends Schema.TaggedError<Unmarked>()("Unmarked", { text: Schema.String }) {}
export const unused = Effect.fn("unused")(function* (n: number) { return yield* Effect.succeed(n + 1) })
`
}

const pipeline = `import { Pipeline } from "distillery"
import { firstLine, page } from "./stages/contracts.ts"

const line = firstLine({ params: { folder: "input" }, inputs: {} })
const pages = page({ params: { title: "lines" }, inputs: { line } })
export const pipeline = Pipeline.make("lines", "the first line of a file, as a page", { line, page: pages })
`

export interface Run {
  readonly code: number | null
  /** The bodies that ran, in order. */
  readonly ran: string
  readonly stdout: string
  readonly stderr: string
}

export const makeUserProject = (programFile: string) => {
  const folder = temporaryFolder()
  const log = join(folder, "..", `${folder.split("/").at(-1)}.log`)
  const slow = `${log}.slow`
  const write = (path: string, text: string): void => {
    mkdirSync(join(folder, path, ".."), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const read = (path: string): string => readFileSync(join(folder, path), "utf8")
  mkdirSync(join(folder, "node_modules"))
  symlinkSync(packageRoot, join(folder, "node_modules", "distillery"))
  symlinkSync(join(packageRoot, "node_modules", "effect"), join(folder, "node_modules", "effect"))
  write("package.json", '{ "name": "lines", "type": "module" }')
  write("input/in.txt", "one\n")
  write("stages/contracts.ts", contracts)
  write("stages/first-line.run.ts", firstLineRun(log, slow))
  write("stages/page.run.ts", pageRun(log))
  for (const [path, text] of Object.entries(textModules)) write(path, text)
  write("pipeline.ts", pipeline)

  const start = (args: ReadonlyArray<string>, environment: { readonly [name: string]: string } = {}) => {
    const { HOME, PATH } = process.env
    return spawn(process.execPath, [programFile, ...args], {
      cwd: folder,
      env: { PATH, HOME, DISTILLERY_BACKEND: "portable", ...environment }
    })
  }
  const program = (args: ReadonlyArray<string>, environment?: { readonly [name: string]: string }) =>
    new Promise<Run>((resolve) => {
      writeFileSync(log, "")
      const child = start(args, environment)
      let stdout = ""
      let stderr = ""
      child.stdout.on("data", (chunk) => {
        stdout += chunk
      })
      child.stderr.on("data", (chunk) => {
        stderr += chunk
      })
      child.on("close", (code) => resolve({ code, ran: readFileSync(log, "utf8"), stdout, stderr }))
    })
  return {
    folder,
    write,
    read,
    start,
    program,
    run: (environment?: { readonly [name: string]: string }) =>
      program(["run", "./pipeline.ts", "--json"], environment),
    /** What B made, where people find it. */
    pageFile: join(folder, ".distillery/reports/lines/report.html"),
    ran: () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
    clearLog: () => writeFileSync(log, ""),
    slowFile: slow
  }
}
