/** The program as one meets it first: help, mistakes, colours. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { built, distillery } from "./builtProgram.ts"

const commands = [
  ...["run", "plan", "explain", "dag", "log", "show", "diff", "lineage", "predict", "export"],
  ...["adopt", "gc", "verify", "list", "models", "doctor", "runtime", "completion"]
]

describe("asking for help", () => {
  it("--help, --version and list print to stdout and exit with 0", async () => {
    const [help, version, list] = await Promise.all([
      distillery(["--help"]),
      distillery(["--version"]),
      distillery(["list"])
    ])
    for (const { code, stderr } of [help, version, list]) assert.deepStrictEqual([code, stderr], [0, ""])
    for (const command of commands) assert.match(help.stdout, new RegExp(`^ +${command} `, "m"))
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
    assert.match(list.stdout, /^quickstart\n {2}.*\n {2}jobs scenes, .*teacher, .*report$/m)
  })

  it("every command explains itself", async () => {
    for (const command of commands) {
      const { code, stdout } = await distillery([command, "--help"])
      assert.strictEqual(code, 0)
      assert.include(stdout, `distillery ${command}`)
    }
  }, 30_000)
})

describe("networks", () => {
  it("models shows what each costs, in all or alone", async () => {
    const all = await distillery(["models"])
    assert.deepStrictEqual([all.code, all.stderr], [0, ""])
    assert.match(all.stdout, /^name +params +MACs +input +published by\n/)
    assert.match(all.stdout, /^resnet18 +11\.7 M +1\.81 G +224 × 224 × 3 +torchvision/m)
    const measured = await distillery(["models", "cifar10_resnet20", "--measure", "--json"])
    const { models } = JSON.parse(measured.stdout)
    assert.deepInclude(models[0], { name: "cifar10_resnet20", params: 272_474, macs: 40_813_184 })
    assert.isAbove(models[0].measured.imagesPerSecond, 1)
    assert.isAbove(models[0].measured.peakBytes, 2 ** 26)
  }, 30_000)
})

describe("wrong usage exits with 2, says what is meant, and prints no page of help", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
    [["verify", "--sample", "0"], /^error: .*--sample: "0"\. Expected: a value between 1 and 100\n/],
    [["push"], /^error: the flag --to is missing\n/],
    [["rnu"], /^error: there is no command "rnu": did you mean "run"\?\n/],
    [["run"], /^error: the argument <PIPELINE> is missing\n/],
    [["run", "quickstart", "--onyl", "x"], /^error: there is no flag "--onyl": did you mean "--only"\?\n/],
    [["run", "quickstart", "--concurrency", "0"], /^error: .*concurrency/],
    [["run", "quickstart", "--force", "student"], /--force=student/],
    [["runtime", "list", "x"], /^error: there is no place for "x"\nUsage: distillery runtime list --help\n/],
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
    [["models", "resnet19"], /^error: there is no network "resnet19": did you mean "resnet\d+"\?\n/],
    [["plan", "./nowhere.ts"], /^error: there is no file \.\/nowhere\.ts/],
    [["plan", "./unexported.ts"], /^error: \.\/unexported\.ts exports no pipeline\n/],
    [
      ["plan", "./nameless.ts"],
      /^error: pipeline \.\/nameless\.ts cannot be loaded\n {2}job "prepared": .*has no name/
    ],
    [["predict", "quickstart/student", "x.png", "--threshold", "2"], /^error: .*threshold/],
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

describe("colours", () => {
  it("follow NO_COLOR and FORCE_COLOR", async () => {
    const forced = await distillery(["list"], { environment: { FORCE_COLOR: "1" } })
    assert.include(forced.stdout, "\u001b[1mquickstart")
    const refused = await distillery(["list"], { environment: { FORCE_COLOR: "1", NO_COLOR: "1" } })
    assert.notInclude(refused.stdout, "\u001b")
  })
})

describe("a pipe", () => {
  it("whose reader closes it is no error", async () => {
    const { code, stderr } = await distillery(["list", "--json"], { closeStdout: true })
    assert.deepStrictEqual([code, stderr], [0, ""])
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
  it("loads nothing heavy for help, a plan or a run of hits", () => {
    const names = readdirSync(built).filter((name) => /^(main|(program|plan|run)-.*)\.js$/.test(name))
    assert.isAtLeast(names.length, 4)
    for (const name of names) {
      const heavy = [...loadedWith(`./${name}`)].filter((file) => /^(sharp|esbuild|@tensorflow\/)/.test(file))
      assert.deepStrictEqual(heavy, [], name)
    }
  })

  it("a cache folder that cannot be made is no reason to stand still", async () => {
    const { code, stdout } = await distillery(["list"], { environment: { DISTILLERY_CACHE: "/proc/none" } })
    assert.strictEqual(code, 0)
    assert.match(stdout, /^quickstart$/m)
  }, 10_000)
})
