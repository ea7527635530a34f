import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { assert, describe, it } from "vitest"
import { findLocalGarbage, removeLocal } from "../../../infra/cli/localGarbage.ts"
import type { SettingsValue } from "../../../infra/settings.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const projectDir = temporaryFolder()
const code = join(projectDir, ".distillery", "code")
const logs = join(projectDir, ".distillery", "logs", "runs")
const settings = { projectDir } as SettingsValue

const put = (file: string, days: number, text = "x"): string => {
  const then = new Date(Date.now() - days * 86_400_000)
  writeFileSync(file, text)
  utimesSync(file, then, then)
  return file
}

describe("beside the store", () => {
  it("code that no record names goes, old logs go but for the latest, nothing else does", async () => {
    mkdirSync(join(code, "known"), { recursive: true })
    mkdirSync(logs, { recursive: true })
    const [named, superseded, recent] = ["a", "b", "c"].map((letter) => `${letter.repeat(64)}.mjs`)
    put(join(code, "known", "stage.json"), 90, JSON.stringify({ bundle: join(code, named!) }))
    const kept = [
      put(join(code, named!), 90),
      put(join(code, `${named}.map`), 90),
      put(join(code, recent!), 1),
      put(join(code, "sources.index"), 90),
      put(join(logs, "20260103-000000-000000.jsonl"), 60),
      put(join(logs, "20260102-000000-000000.jsonl"), 1)
    ]
    const gone = [
      put(join(code, superseded!), 90),
      put(join(code, `${superseded}.map`), 90),
      put(join(logs, "20260101-000000-000000.jsonl"), 60)
    ]
    const found = await findLocalGarbage(settings, { graceMillis: 14 * 86_400_000, keepRuns: 1 })
    assert.sameMembers(
      found.map(({ file }) => basename(file)),
      gone.map((file) => basename(file))
    )
    await removeLocal(found)
    assert.deepStrictEqual([...kept, ...gone].map(existsSync), [
      ...kept.map(() => true),
      ...gone.map(() => false)
    ])
    const none = await findLocalGarbage({ projectDir: join(projectDir, "none") } as SettingsValue, {
      graceMillis: 0,
      keepRuns: 0
    })
    assert.deepStrictEqual(none, [])
  })
})
