/** Why each job is a hit or a miss, on a store that the first test fills. */
import { assert, beforeAll, describe, it } from "vitest"
import { distillery } from "./builtProgram.ts"

const explain = (...args: ReadonlyArray<string>) => distillery(["explain", "./toy.ts", ...args])

describe("explain", () => {
  it("before anything ran", async () => {
    const { code, stdout } = await explain()
    assert.strictEqual(code, 0)
    assert.match(stdout, /^scenes +miss +never ran\nprepared +waits +for scenes; never ran\n/)
  })

  describe("after a run", () => {
    beforeAll(async () => {
      assert.strictEqual((await distillery(["run", "./toy.ts", "--quiet"])).code, 0)
      const other = ["run", "./toy.ts", "--quiet", "--to", "prepared", "--set", "scenes.source.seed=9"]
      assert.strictEqual((await distillery(other)).code, 0)
    }, 60_000)

    it("a hit says since when, from which run, and how long it took", async () => {
      const { stdout } = await explain("scenes")
      assert.match(
        stdout,
        /^scenes {2}hit {4}since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(run [\d-]+[0-9a-f]{6}\), took .* s\n$/
      )
    })

    it("a miss names all changes and what would make it a hit; what waits says what is known", async () => {
      const { stdout } = await explain(
        "--set",
        "teacher.training.epochs=2",
        "--set",
        "teacher.training.seed=4",
        "--set",
        "prepared.height=16"
      )
      assert.match(stdout, /^scenes +hit .*\nprepared +hit .*\nteacher +miss +2 changes since run .*\n/)
      assert.match(stdout, /^ {4}training.epochs 1 → 2\n {4}training.seed 0 → 4\n/m)
      assert.match(stdout, /^ {4}would hit with training.epochs = 1 and training.seed = 0$/m)
      assert.match(
        stdout,
        /^teacher-evaluation +waits +for teacher\n {4}a hit if inputs and code come out as in run/m
      )
    })

    it("a job that waits and has changed itself will run in any case", async () => {
      const { stdout } = await explain(
        "--set",
        "prepared.width=8",
        "--set",
        "teacher.training.epochs=2",
        "teacher"
      )
      assert.match(
        stdout,
        /^teacher +waits +for prepared; will run, 1 change since run .*\n {4}training.epochs 1 → 2\n$/
      )
    })

    it("an input that changed is followed back to what changed it", async () => {
      const { stdout } = await explain("teacher", "--set", "scenes.source.seed=9")
      assert.match(stdout, /^teacher +miss +1 change since run /)
      assert.match(stdout, /^ {4}input dataset changed, because job scenes changed: source.seed 7 → 9$/m)
      assert.notInclude(stdout, "would hit")
    })

    it("--json holds the same, old and new", async () => {
      const { stdout } = await explain("teacher", "--set", "teacher.training.epochs=2", "--json")
      const { jobs, schemaVersion } = JSON.parse(stdout)
      assert.strictEqual(schemaVersion, 1)
      assert.strictEqual(jobs.length, 1)
      const [{ changes, state, wouldHit }] = jobs
      assert.strictEqual(state, "miss")
      assert.deepInclude(changes[0], { kind: "param", path: "training.epochs", before: "1", after: "2" })
      assert.strictEqual(wouldHit[0].text, "training.epochs = 1")
      assert.match(wouldHit[0].made.runId, /^\d{8}-/)
    })
  })

  it("an unknown job is a mistake of usage", async () => {
    const { code, stderr, stdout } = await explain("teecher")
    assert.deepStrictEqual([code, stdout], [2, ""])
    assert.match(stderr, /^error: JOB: pipeline "toy" has no job "teecher": did you mean "teacher"\?\n/)
  })
})
