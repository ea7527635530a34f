/** The script for bash, in a real bash: what it offers at the end of a line. */
import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { built, distillery, project } from "./builtProgram.ts"

const hasBash = spawnSync("bash", ["--version"]).status === 0
const skipped = hasBash ? "" : " (skipped: no bash here)"

/** What bash would offer for the last word of the line. */
const offered = (...words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const script = `
    source ./completion.bash
    complete -p distillery >/dev/null || exit 9
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}; COMPREPLY=()
    entry="$(complete -p distillery | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
    "$entry" distillery "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
    printf '%s\\n' "\${COMPREPLY[@]}"`
  const { status, stderr, stdout } = spawnSync("bash", ["-c", script, "bash", "distillery", ...words], {
    cwd: project,
    env: { HOME: process.env.HOME, PATH: `${join(project, "bin")}:${process.env.PATH}` },
    encoding: "utf8"
  })
  assert.strictEqual(status, 0, stderr)
  return stdout.trim().split("\n")
}

describe("the completion script", () => {
  it("is printed for every shell, and an unknown shell is a mistake", async () => {
    for (const shell of ["bash", "zsh", "fish", "powershell"]) {
      const { code, stderr, stdout } = await distillery(["completion", shell])
      assert.deepStrictEqual([code, stderr], [0, ""])
      for (const word of ["explain", "lineage", "keep-runs"]) assert.include(stdout, word, shell)
      assert.notInclude(stdout, "Print names for a completion script", shell)
    }
    const { code, stderr } = await distillery(["completion", "csh"])
    assert.strictEqual(code, 2)
    assert.match(stderr, /^error: /)
  })

  describe.skipIf(!hasBash)(`in bash${skipped}`, () => {
    beforeAll(async () => {
      const bin = join(project, "bin")
      mkdirSync(bin)
      const program = join(bin, "distillery")
      writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${join(built, "main.js")} "$@"\n`)
      chmodSync(program, 0o755)
      writeFileSync(join(project, "completion.bash"), (await distillery(["completion", "bash"])).stdout)
      assert.strictEqual((await distillery(["run", "./toy.ts", "--quiet", "--only", "scenes"])).code, 0)
    }, 30_000)

    it("offers commands, flags and their choices", () => {
      assert.include(offered(""), "explain")
      assert.deepStrictEqual(offered("lin"), ["lineage"])
      assert.deepStrictEqual(offered("run", "quickstart", "--downs"), ["--downstream"])
      assert.deepStrictEqual(offered("dag", "quickstart", "--format", "m"), ["mermaid"])
    })

    it("offers pipelines and modules, jobs after flags and arguments that take them", () => {
      assert.deepStrictEqual(offered("run", "quick"), ["quickstart"])
      assert.deepStrictEqual(offered("plan", "./to"), ["./toy.ts"])
      assert.deepStrictEqual(offered("run", "quickstart", "--from", "stud"), ["student"])
      assert.deepStrictEqual(offered("run", "./toy.ts", "--only", "scenes,te"), [
        "scenes,teacher",
        "scenes,teacher-evaluation"
      ])
      assert.deepStrictEqual(offered("run", "quickstart", "--force", "=", "stud"), ["student"])
      assert.deepStrictEqual(offered("explain", "./toy.ts", "prep"), ["prepared"])
    })

    it("offers results and runs", () => {
      assert.deepStrictEqual(offered("show", "toy/sc"), ["toy/scenes"])
      assert.deepStrictEqual(offered("log", "lat"), ["latest"])
      assert.match(offered("diff", "2")[0]!, /^\d{8}-\d{6}-[0-9a-f]{6}$/)
    })
  })
})
