/** The built program, as a process of its own, in a project of its own. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { buildProgram } from "../../../infra/build.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const packageRoot = join(import.meta.dirname, "../../..")
// Inside the package, so that the program finds its packages and the stages' sources.
const built = join(packageRoot, "node_modules", ".cache", `distillery-program-test-${process.pid}`)
const project = temporaryFolder()

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Options {
  readonly environment?: { readonly [name: string]: string }
  /** Sent when stderr first shows this text. */
  readonly interruptAt?: { readonly text: string; readonly signals: ReadonlyArray<NodeJS.Signals> }
  /** Closes our end of stdout at once. */
  readonly closeStdout?: boolean
}

const distillery = (args: ReadonlyArray<string>, options: Options = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const { PATH, HOME } = process.env
    const child = spawn(process.execPath, [join(built, "main.js"), ...args], {
      cwd: project,
      env: { PATH, HOME, DISTILLERY_BACKEND: "portable", ...options.environment }
    })
    let stdout = ""
    let stderr = ""
    if (options.closeStdout) child.stdout.destroy()
    child.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    const signals = [...(options.interruptAt?.signals ?? [])]
    child.stderr.on("data", (chunk) => {
      stderr += chunk
      const expected =
        signals.length === options.interruptAt?.signals.length ? options.interruptAt?.text : "stopping"
      if (expected !== undefined && stderr.includes(expected) && signals.length > 0)
        child.kill(signals.shift())
    })
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

const imports = ["ingest", "preprocess", "pretrain", "evaluate"]
  .map((stage) => `import * as ${stage} from "${packageRoot}/stages/${stage}.ts"`)
  .join("\n")

const pipelineFile = (name: string, refs: string): void =>
  writeFileSync(
    join(project, `${name}.ts`),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
${imports}
const scenes = ingest.Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 16, numTrain: 64, numTest: 16 } }, inputs: {}
})
const prepared = preprocess.Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const model = (epochs: number) => pretrain.Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" },
    training: {
      epochs, batchSize: 16, learningRate: 0.05, warmupEpochs: 0, weightDecay: 0, seed: 0,
      augment: { pad: 0, flip: false }, precision: "float32"
    }
  },
  inputs: { dataset: prepared }
})
${refs}
`
  )

beforeAll(async () => {
  await buildProgram(built)
  pipelineFile(
    "toy",
    `const teacher = model(1)
const evaluation = evaluate.Evaluate({ params: {}, inputs: { model: teacher, dataset: prepared } })
export const pipeline = Pipeline.make("toy", "a toy", { scenes, prepared, teacher, "teacher-evaluation": evaluation })`
  )
  pipelineFile(
    "long",
    'export const pipeline = Pipeline.make("long", "a toy", { scenes, prepared, teacher: model(5000) })'
  )
  pipelineFile(
    "broken",
    `const missing = ingest.Ingest({ params: { source: { _tag: "ImageFolder", path: "/nowhere" } }, inputs: {} })
export const pipeline = Pipeline.make("broken", "a toy", { scenes, missing })`
  )
  pipelineFile("nameless", 'export const pipeline = Pipeline.make("nameless", "a toy", { prepared })')
  pipelineFile("unexported", "export const nothing = 1")
}, 60_000)
afterAll(() => rm(built, { recursive: true, force: true }))

describe("asking for help", () => {
  it("--help, --version and list print to stdout and exit with 0", async () => {
    const [help, version, list] = await Promise.all([
      distillery(["--help"]),
      distillery(["--version"]),
      distillery(["list"])
    ])
    for (const { code, stderr } of [help, version, list]) assert.deepStrictEqual([code, stderr], [0, ""])
    for (const command of ["run", "plan", "predict", "list"])
      assert.match(help.stdout, new RegExp(`^ +${command} `, "m"))
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
    assert.match(list.stdout, /^quickstart\n {2}.*\n {2}jobs scenes, prepared, teacher/)
  })

  it("every command explains itself", async () => {
    for (const command of ["run", "plan", "predict", "list"]) {
      const { code, stdout } = await distillery([command, "--help"])
      assert.strictEqual(code, 0)
      assert.include(stdout, `distillery ${command}`)
    }
  })
})

describe("wrong usage exits with 2, says what is meant, and prints no page of help", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
    [["rnu"], /^error: there is no command "rnu": did you mean "run"\?\n/],
    [["run"], /^error: the argument <PIPELINE> is missing\n/],
    [["run", "quickstart", "--onyl", "x"], /^error: there is no flag "--onyl": did you mean "--only"\?\n/],
    [["run", "quickstart", "--concurrency", "0"], /^error: .*concurrency/],
    [["run", "quickstart", "--force", "student"], /--force=student/],
    [["run", "quickstrat"], /^error: there is no pipeline "quickstrat": did you mean "quickstart"\?\n/],
    [["run", "constructor"], /^error: there is no pipeline "constructor"\n/],
    [["plan", "quickstart", "--only", "studnt"], /^error: --only: .*did you mean "student"\?\n/],
    [
      ["plan", "quickstart", "--set", "student.temprature=8"],
      /^error: --set student.temprature: .*"temperature"\?\n/
    ],
    [
      ["plan", "quickstart", "--set", "student.temperature=hot"],
      /^error: --set student.temperature="hot": expected number/
    ],
    [["plan", "quickstart", "--only", "student"], /^error: Job "student" needs the results of "scenes"/],
    [["plan", "./nowhere.ts"], /^error: there is no file \.\/nowhere\.ts/],
    [["plan", "./unexported.ts"], /^error: \.\/unexported\.ts exports no pipeline\n/],
    [
      ["plan", "./nameless.ts"],
      /^error: pipeline \.\/nameless\.ts cannot be loaded\n {2}job "prepared": .*has no name/
    ],
    [
      ["predict", "quickstart/student", "x.png"],
      /^error: there is no model "quickstart\/student"\n {2}Nothing was trained/
    ]
  ]
  it.concurrent.each(cases)("%j", async (args, message) => {
    const { code, stderr, stdout } = await distillery(args)
    assert.match(stderr, message)
    assert.isBelow(stderr.split("\n").length, 6)
    assert.deepStrictEqual([code, stdout], [2, ""])
  })

  it("a setting of the environment that makes no sense", async () => {
    const { code, stderr } = await distillery(["plan", "quickstart"], {
      environment: { DISTILLERY_BACKEND: "tpu" }
    })
    assert.strictEqual(code, 2)
    assert.match(stderr, /^error: .*DISTILLERY_BACKEND/s)
  })
})

describe("a pipeline by its path", () => {
  it("plan --check exits with 3 while work is pending, as a table or as a document", async () => {
    const table = await distillery(["plan", "./broken.ts", "--check"])
    assert.strictEqual(table.code, 3)
    assert.match(table.stdout, /^scenes +ingest +will run +never ran$/m)
    const { code, stdout } = await distillery(["plan", "./broken.ts", "--json"])
    assert.strictEqual(code, 0)
    assert.strictEqual(JSON.parse(stdout).pending, 2)
  })

  it("run --json prints one document on stdout, progress on stderr; then all are hits, and predict works", async () => {
    const first = await distillery(["run", "toy.ts", "--json"])
    assert.strictEqual(first.code, 0, first.stderr)
    const document = JSON.parse(first.stdout)
    assert.deepStrictEqual(Object.keys(document), [
      "schemaVersion",
      "status",
      "runId",
      "pipeline",
      "seconds",
      "jobs",
      "metrics"
    ])
    assert.deepStrictEqual([document.schemaVersion, document.status], [1, "ok"])
    assert.deepStrictEqual(
      document.jobs.map((job: { name: string; stage: string; state: string }) => [
        job.name,
        job.stage,
        job.state
      ]),
      [
        ["scenes", "ingest", "ran"],
        ["prepared", "preprocess", "ran"],
        ["teacher", "pretrain", "ran"],
        ["teacher-evaluation", "evaluate", "ran"]
      ]
    )
    for (const job of document.jobs) {
      assert.match(job.key, /^sha256:[0-9a-f]{64}$/)
      assert.isAbove(job.seconds, 0)
    }
    assert.deepStrictEqual(Object.keys(document.metrics), ["teacher"])
    for (const name of ["top1", "loss", "macs", "params"])
      assert.isNumber(document.metrics.teacher[name], name)
    assert.match(first.stderr, /^teacher: started \(pretrain\)$/m)
    assert.match(first.stderr, /^✓ teacher +ran in/m)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
    assert.notMatch(first.stderr, /\u001b/)

    const second = await distillery(["run", "toy.ts", "--quiet"])
    assert.deepStrictEqual([second.code, second.stderr], [0, ""])
    assert.match(second.stdout, /^teacher +\d+\.\d\d %/m)
    assert.strictEqual((await distillery(["plan", "toy.ts", "--check"])).code, 0)

    writeFileSync(
      join(project, "grey.pgm"),
      Buffer.concat([Buffer.from("P5 20 10 255\n"), Buffer.alloc(200, 128)])
    )
    writeFileSync(join(project, "text.png"), "not an image")
    const predicted = await distillery(["predict", "teacher", "text.png", "grey.pgm", "absent.png", "--json"])
    assert.strictEqual(predicted.code, 1)
    assert.match(
      predicted.stderr,
      /^error: Image "text.png" .*\nerror: Image "absent.png" .*there is no such file/
    )
    const { images, model } = JSON.parse(predicted.stdout)
    assert.deepStrictEqual([model.pipeline, model.job], ["toy", "teacher"])
    assert.deepStrictEqual(
      images.map((image: { file: string; error?: string }) => [image.file, image.error === undefined]),
      [
        ["text.png", false],
        ["grey.pgm", true],
        ["absent.png", false]
      ]
    )
    const probabilities = images[1].predictions.map((one: { probability: number }) => one.probability)
    assert.strictEqual(probabilities.length, 5)
    assert.deepStrictEqual(
      probabilities,
      [...probabilities].sort((a, b) => b - a)
    )

    const wrong = await distillery(["predict", "toy/scenes", "grey.pgm"])
    assert.strictEqual(wrong.code, 2)
    assert.match(wrong.stderr, /is no classifier.*\n {2}Models are toy\/teacher\n/)
  }, 60_000)

  it("a job that fails: what, where, its params, and the command to run it alone; the others are kept", async () => {
    const { code, stderr, stdout } = await distillery(["run", "./broken.ts", "--json"])
    assert.strictEqual(code, 1)
    assert.match(stderr, /^error: job missing \(stage ingest\) failed$/m)
    assert.include(stderr, '"path":"/nowhere"')
    assert.include(stderr, "npx distillery run ./broken.ts --only missing")
    const { jobs, status } = JSON.parse(stdout)
    assert.strictEqual(status, "failed")
    assert.strictEqual(jobs[1].state, "failed")
    assert.isString(jobs[1].error.message)
    assert.include(["ran", "hit"], jobs[0].state)
  }, 30_000)

  it("runs in this process, too", async () => {
    const { code, stderr } = await distillery(["run", "./toy.ts", "--in-process", "--only=scenes", "--force"])
    assert.strictEqual(code, 0, stderr)
    assert.match(stderr, /^✓ scenes +ran in/m)
  }, 30_000)
})

describe("being stopped", () => {
  it("the first signal stops at the next step with the state kept", async () => {
    const interruptAt = { text: "teacher: epoch", signals: ["SIGTERM"] as const }
    const { code, stderr, stdout } = await distillery(["run", "./long.ts", "--json"], { interruptAt })
    assert.strictEqual(code, 143, stderr)
    assert.include(stderr, "stopping at the next step")
    assert.match(stderr, /^■ teacher +stopped after .*its state is kept$/m)
    assert.strictEqual(JSON.parse(stdout).status, "stopped")
  }, 60_000)

  it("the second kills at once", async () => {
    const interruptAt = { text: "teacher: started", signals: ["SIGINT", "SIGINT"] as const }
    const { code, stdout } = await distillery(["run", "./long.ts", "--json"], { interruptAt })
    assert.deepStrictEqual([code, stdout], [130, ""])
  }, 60_000)

  it("a reader that closes the pipe is no error", async () => {
    const { code, stderr } = await distillery(["list", "--json"], { closeStdout: true })
    assert.deepStrictEqual([code, stderr], [0, ""])
  })
})

describe("colours", () => {
  it("follow NO_COLOR and FORCE_COLOR", async () => {
    const forced = await distillery(["list"], { environment: { FORCE_COLOR: "1" } })
    assert.include(forced.stdout, "\u001b[1mquickstart")
    const refused = await distillery(["list"], { environment: { FORCE_COLOR: "1", NO_COLOR: "1" } })
    assert.notInclude(refused.stdout, "\u001b")
  })
})

/** A built file and all that it imports at once; what is imported later, by `import()`, is not among them. */
const loadedWith = (file: string, seen = new Set<string>()): ReadonlySet<string> => {
  if (seen.has(file)) return seen
  seen.add(file)
  if (!file.startsWith("./")) return seen
  const text = readFileSync(join(built, file), "utf8")
  for (const match of text.matchAll(/(?<=^|[;}\n])import(?:[^"'();]*?from)?\s*"([^"]+)"/g))
    loadedWith(match[1]!, seen)
  return seen
}

describe("the build", () => {
  it("loads what is heavy only where it is needed: not for help, nor for a plan, nor for a run of hits", () => {
    const names = readdirSync(built).filter((name) => /^(main|(program|plan|run)-.*)\.js$/.test(name))
    assert.isAtLeast(names.length, 4)
    for (const name of names) {
      const packages = [...loadedWith(`./${name}`)].filter((file) => !/^(\.|node:)/.test(file))
      const allowed = name === "program-shared.js" ? /^(effect|@effect\/platform-node)(\/|$)/ : /^$/
      assert.deepStrictEqual(
        packages.filter((file) => !allowed.test(file)),
        [],
        name
      )
    }
  })
})
