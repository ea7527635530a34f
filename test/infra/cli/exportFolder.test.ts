import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { inNewFolder, writeFiles } from "../../../infra/cli/exportFolder.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const exportTo = (folder: string) =>
  inNewFolder(folder, (temporary) => writeFiles(temporary, [{ path: "card.json", bytes: new Uint8Array(1) }]))

/** What an export of that process has left beside `folder`. */
const leaveBeside = (parent: string, pid: number): string => {
  const left = join(parent, `.model-${hostname()}-${pid}-${randomUUID()}.tmp`)
  mkdirSync(left)
  writeFileSync(join(left, "card.json"), "")
  return left
}

describe("the folder of an export", () => {
  it.effect("takes away what a killed export to the same place has left, and nothing else", () =>
    Effect.gen(function* () {
      const parent = temporaryFolder()
      const ended = leaveBeside(parent, spawnSync("true").pid)
      const going = leaveBeside(parent, process.pid)
      mkdirSync(join(parent, ".model-mine.tmp"))
      yield* exportTo(join(parent, "model"))
      assert.isFalse(existsSync(ended))
      assert.isTrue(existsSync(going))
      assert.strictEqual(readdirSync(parent).length, 3)
      assert.deepStrictEqual(readdirSync(join(parent, "model")), ["card.json"])
    })
  )

  it.effect("leaves nothing where writing fails", () =>
    Effect.gen(function* () {
      const parent = temporaryFolder()
      yield* Effect.flip(inNewFolder(join(parent, "model"), () => Effect.fail("no")))
      assert.deepStrictEqual(readdirSync(parent), [])
    })
  )
})
