/** What doctor finds on a machine that is well, and on one that is not. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { library } from "../../support/runtimes.ts"
import { distillery, project } from "./builtProgram.ts"

interface Check {
  readonly name: string
  readonly state: string
  readonly fix?: string
}

const environment = { DISTILLERY_CACHE: join(project, "cache"), XDG_CONFIG_HOME: join(project, "config") }

const stateOf = (checks: ReadonlyArray<Check>, name: string) =>
  checks.find((check) => check.name === name)?.state

describe("doctor", () => {
  it("says of each thing that it works, and where each setting comes from", async () => {
    const { code, stderr, stdout } = await distillery(["doctor"], { environment })
    assert.deepStrictEqual([code, stderr], [0, ""])
    assert.match(stdout, /^distillery \d+\.\d+\.\d+\n\nok +node +v\d+\..* on /)
    assert.match(stdout, /^ok +store +.*: written, read, and of 8 writers at once one won$/m)
    assert.match(stdout, /^ok +images +sharp encodes and decodes$/m)
    assert.match(stdout, /^ok +self-test +a small residual net trains: [\d.]+ ms a step eagerly$/m)
    assert.match(stdout, /^(ok|warn) +cpu +.+: /m)
    assert.match(stdout, /^ok +gpu +not used: |^warn +gpu +NVIDIA/m)
    assert.match(stdout, /^DISTILLERY_BACKEND +portable +environment$/m)
    assert.match(stdout, /^DISTILLERY_MIRROR +none +default$/m)
    assert.match(stdout, /^(All is well\.|Nothing is broken; \d+ could be better\.)$/m)
    const objects = join(project, ".distillery", "store", "objects", "doctor")
    assert.deepStrictEqual(existsSync(objects) ? readdirSync(objects) : [], [])
  }, 30_000)

  it("never shows a secret", async () => {
    const secret = "bm90IGEga2V5IGJ1dCBhIHNlY3JldA=="
    const { stderr, stdout } = await distillery(["doctor", "--json"], {
      environment: { ...environment, DISTILLERY_KEY: secret }
    })
    assert.notInclude(stdout + stderr, secret)
  }, 30_000)

  it("what is broken fails, with the fix, and exits with 1", async () => {
    writeFileSync(join(project, "file"), "")
    mkdirSync(join(project, "tensorflow"))
    const { code, stdout } = await distillery(["doctor", "--json"], {
      environment: {
        DISTILLERY_STORE: join(project, "file"),
        DISTILLERY_CACHE: join(project, "file", "cache"),
        DISTILLERY_TENSORFLOW: join(project, "tensorflow"),
        DISTILLERY_BACKEND: "native",
        DISTILLERY_THREADS: "512"
      }
    })
    assert.strictEqual(code, 1)
    const { checks, schemaVersion } = JSON.parse(stdout) as { checks: Array<Check>; schemaVersion: number }
    assert.strictEqual(schemaVersion, 1)
    const names = ["store", "cache", "runtime", "threads", "project", "self-test"]
    const states = names.map((name) => stateOf(checks, name))
    assert.deepStrictEqual(states, ["fail", "fail", "fail", "warn", "ok", "fail"])
    for (const { fix, state } of checks) if (state !== "ok") assert.isString(fix)
  }, 30_000)

  it("a self-test that writes something else is a finding, not an end", async () => {
    const talking = 'if (process.argv[2] === "self-test") console.log("hello")'
    const { code, stdout } = await distillery(["doctor"], {
      environment: {
        ...environment,
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(talking)}`
      }
    })
    assert.strictEqual(code, 1)
    assert.match(stdout, /^fail +self-test +.*its process wrote something else than its result: "hello/m)
  }, 30_000)

  it("settings that make no sense are a finding, not an end", async () => {
    const { code, stdout } = await distillery(["doctor"], { environment: { DISTILLERY_THREADS: "many" } })
    assert.strictEqual(code, 1)
    assert.match(stdout, /^fail +settings +The environment variable DISTILLERY_THREADS is wrong/m)
    assert.match(stdout, /^1 of 2 checks failed\.$/m)
  })
})

const hasCompiler = spawnSync("cc", ["--version"]).status === 0

describe("with TensorFlow's library", () => {
  it.skipIf(library.kind === "portable")(
    `names it, and trains alike on it${library.kind === "portable" ? ` (skipped: ${library.reason})` : ""}`,
    async () => {
      if (library.kind === "portable") return
      const { code, stdout } = await distillery(["doctor"], {
        environment: { ...environment, DISTILLERY_BACKEND: "auto", DISTILLERY_TENSORFLOW: library.directory }
      })
      assert.strictEqual(code, 0, stdout)
      assert.match(stdout, /^ok +runtime +native: .* \(as DISTILLERY_TENSORFLOW asks\)$/m)
      assert.match(stdout, /^ok +library +tensorflow \d+\.\d+\.\d+.*, computes on the .PU, oneDNN on$/m)
      assert.match(
        stdout,
        /^(ok|warn) +self-test +a small residual net trains alike: .* traced, .* eagerly, /m
      )
    },
    60_000
  )

  it.skipIf(!hasCompiler)(
    `that ends its process, doctor lives to say so${hasCompiler ? "" : " (skipped: no C compiler)"}`,
    async () => {
      const folder = join(project, "crashing")
      mkdirSync(folder)
      const source = join(folder, "crash.c")
      writeFileSync(
        source,
        "#include <stdlib.h>\n__attribute__((constructor)) void crash(void) { abort(); }\n"
      )
      for (const name of ["libtensorflow.so.2", "libtensorflow_framework.so.2"]) {
        assert.strictEqual(spawnSync("cc", ["-shared", "-fPIC", "-o", join(folder, name), source]).status, 0)
      }
      const { code, stdout } = await distillery(["doctor"], {
        environment: { ...environment, DISTILLERY_BACKEND: "auto", DISTILLERY_TENSORFLOW: folder }
      })
      assert.strictEqual(code, 1)
      assert.match(stdout, /^fail +self-test +.*its process ended by SIGABRT\n +.*DISTILLERY_KERNELS=stock/m)
    },
    60_000
  )
})
