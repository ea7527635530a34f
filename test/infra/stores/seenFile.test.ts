import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import { seenFileLayer } from "../../../infra/stores/seenFile.ts"
import { type SeenByPlace, SeenRecord } from "../../../lib/workflow/SeenResults.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const recordIn = (folder: string, address = "s3://bucket/prefix") => {
  const { keep, load } = Effect.runSync(Effect.provide(SeenRecord, seenFileLayer(folder, address)))
  return { load, keep: (news: SeenByPlace) => Effect.runPromise(keep(news)) }
}

const seen = (publishedAtMillis: number, output: string) => ({ publishedAtMillis, output: digestOf(output) })

describe("what was seen of a store", () => {
  it("is known to later processes, of each result the latest, of each store its own", async () => {
    const folder = join(temporaryFolder(), "new", "seen")
    assert.strictEqual(recordIn(folder).load().size, 0)
    await recordIn(folder).keep(
      new Map([
        ["main/a", seen(5, "a")],
        ["main/b", seen(5, "b")]
      ])
    )
    await recordIn(folder).keep(
      new Map([
        ["main/a", seen(4, "before")],
        ["main/b", seen(6, "after")]
      ])
    )
    assert.deepStrictEqual(
      recordIn(folder).load(),
      new Map([
        ["main/b", seen(6, "after")],
        ["main/a", seen(5, "a")]
      ])
    )
    assert.strictEqual(recordIn(folder, "s3://other").load().size, 0)
  })

  it("loses nothing of what many keep at the same instant", async () => {
    const folder = temporaryFolder()
    const keep = (nth: number) => recordIn(folder).keep(new Map([[`main/${nth}`, seen(nth + 1, `${nth}`)]]))
    await Promise.all(Array.from({ length: 20 }, (_, nth) => keep(nth)))
    assert.strictEqual(recordIn(folder).load().size, 20)
    assert.lengthOf(readdirSync(folder), 1)
  })

  it("is as much as can be read of a damaged file, and nothing where none can be kept", async () => {
    const folder = temporaryFolder()
    await recordIn(folder).keep(new Map([["main/a", seen(1, "a")]]))
    const [file] = readdirSync(folder)
    writeFileSync(
      join(folder, file!),
      `main/b 7\n\u0000\n${readFileSync(join(folder, file!), "utf8")}main/c x y`
    )
    assert.deepStrictEqual(recordIn(folder).load(), new Map([["main/a", seen(1, "a")]]))
    const blocked = join(temporaryFolder(), "file")
    writeFileSync(blocked, "")
    await recordIn(blocked).keep(new Map([["main/a", seen(1, "a")]]))
    assert.strictEqual(recordIn(blocked).load().size, 0)
  })
})
