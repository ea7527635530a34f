/**
 * Changes at random, of code, params, packages, services and folders: `explain` says of every job
 * whether it is concerned, and names the leaf that was changed, old → new, code by file and line. Of what
 * nothing depends on it says nothing. The real program, a process for every question.
 */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, beforeAll, describe, it } from "vitest"
import { RandomStream } from "../../lib/tensor/random.ts"
import { type MutableProject, makeMutableProject } from "../support/mutableProject.ts"
import { type Mutation, randomMutation } from "../support/mutations.ts"

const seed = 20261124
const numShards = 2

interface Change {
  readonly kind: string
  readonly path: string
  readonly before?: string
  readonly after?: string
  readonly text: string
  readonly file?: string
  readonly line?: number
}
interface JobDocument {
  readonly name: string
  readonly state: "hit" | "miss" | "waits"
  readonly changes?: ReadonlyArray<Change>
}

const run = promisify(execFile)

const program = async (project: MutableProject, args: ReadonlyArray<string>): Promise<string> => {
  const { HOME, PATH } = process.env
  const main = join(project.copy, "dist/main.js")
  const env = { PATH, HOME, DISTILLERY_BACKEND: "portable" }
  return (await run(process.execPath, [main, ...args], { cwd: project.folder, env })).stdout
}

const explained = async (project: MutableProject, flags: ReadonlyArray<string> = []) => {
  const stdout = await program(project, ["explain", "./pipeline.ts", "--json", ...flags])
  return (JSON.parse(stdout) as { readonly jobs: ReadonlyArray<JobDocument> }).jobs
}

const isSilent = (jobs: ReadonlyArray<JobDocument>, title: string): void =>
  assert.deepStrictEqual(
    jobs.filter(({ state }) => state !== "hit"),
    [],
    title
  )

/** Both sides stand there, but for what is new or gone. */
const isWhole = ({ after, before, text }: Change): boolean =>
  before !== after && (before !== undefined || after !== undefined) && text.length > 0

const check = (project: MutableProject, mutation: Mutation, jobs: ReadonlyArray<JobDocument>): void => {
  const { concerns, leaf, title } = mutation
  const concerned = new Set(project.jobs.filter(concerns).map(({ name }) => name))
  for (const job of project.jobs) {
    const found = jobs.find(({ name }) => name === job.name)!
    const waits = job.reads !== undefined && concerned.has(job.reads)
    const expected = waits ? "waits" : concerned.has(job.name) ? "miss" : "hit"
    assert.strictEqual(found.state, expected, `${title}: ${job.name} ${JSON.stringify(found.changes)}`)
    if (expected !== "miss") continue
    const [change, ...others] = found.changes!
    assert.deepStrictEqual(others, [], title)
    assert.strictEqual(change!.kind, leaf.kind, title)
    assert.match(change!.path, leaf.path, title)
    assert.isTrue(isWhole(change!), `${title}: ${JSON.stringify(change)}`)
    if (leaf.line !== undefined) {
      assert.strictEqual(
        `${change!.path.split("#")[0]}:${leaf.line}`,
        `${change!.file}:${change!.line}`,
        title
      )
      assert.include(change!.text, `${change!.file}:${change!.line}`)
    }
  }
}

export const mutationSuite = (numMutations: number) => {
  describe.concurrent.each(Array.from({ length: numShards }, (_, shard) => shard))("shard %i", (shard) => {
    const project = makeMutableProject(seed + shard)
    const random = RandomStream.make(seed, "mutations", shard)
    const perKind = new Map<string, number>()

    beforeAll(async () => {
      project.setUp()
      project.build()
      await program(project, ["run", "./pipeline.ts", "--quiet"])
      isSilent(await explained(project), "nothing was changed yet")
    }, 120_000)

    it(`${numMutations / numShards} changes are named, and nothing else is`, async () => {
      for (let i = 0; i < numMutations / numShards; i++) {
        const mutation = randomMutation(project, random.derive(i))
        const kind = mutation.title.split(" ")[0]!
        perKind.set(kind, (perKind.get(kind) ?? 0) + 1)
        mutation.apply()
        check(project, mutation, await explained(project, mutation.flags))
        mutation.revert()
        if (i % 20 === 0) isSilent(await explained(project), `after ${mutation.title} was undone`)
      }
      isSilent(await explained(project), "all was undone")
      assert.isAtLeast(perKind.size, 4, JSON.stringify([...perKind]))
    }, 600_000)
  })
}
