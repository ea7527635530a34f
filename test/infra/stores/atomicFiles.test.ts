import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { moveIfAbsent, withLockFile } from "../../../infra/stores/atomicFiles.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

/** As a process leaves it that was killed while it held it; nobody has this number. */
const ofDeadProcess = `${hostname()} 4194305`

describe("a lock", () => {
  it("is taken over from the dead, whoever died while taking it over", async () => {
    const lock = join(temporaryFolder(), "x.lock")
    for (const file of [lock, `${lock}.steal`, `${lock}.steal.steal`]) writeFileSync(file, ofDeadProcess)
    let holders = 0
    const hold = () =>
      withLockFile(lock, async () => {
        holders += 1
        assert.strictEqual(holders, 1)
        await new Promise((resolve) => setTimeout(resolve, 2))
        holders -= 1
      })
    await Promise.all(Array.from({ length: 20 }, hold))
    for (const file of [lock, `${lock}.steal`, `${lock}.steal.steal`]) assert.isFalse(existsSync(file))
  }, 5_000)
})

describe("a new file where the file system knows no hard links", () => {
  const noLink = (code: string) => () =>
    Promise.reject(Object.assign(new Error("operation not supported"), { code }))

  it.each(["EPERM", "ENOTSUP", "ENOSYS"])(
    "%s: one of many writers wins, the others are told",
    async (code) => {
      const folder = temporaryFolder()
      const target = join(folder, "target")
      const writers = Array.from({ length: 10 }, (_, index) => {
        const temporary = join(folder, `temporary-${index}`)
        writeFileSync(temporary, `writer ${index}`)
        return moveIfAbsent(temporary, target, join(folder, "lock"), noLink(code)).then(
          () => `writer ${index}`,
          (error: NodeJS.ErrnoException) => error.code
        )
      })
      const ends = await Promise.all(writers)
      const winners = ends.filter((end) => end !== "EEXIST")
      assert.deepStrictEqual(winners, [readFileSync(target, "utf8")])
    }
  )

  it("other failures stay failures", async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, "temporary"), "")
    const moved = moveIfAbsent(
      join(folder, "temporary"),
      join(folder, "t"),
      join(folder, "l"),
      noLink("ENOSPC")
    )
    assert.strictEqual(await moved.catch((error: NodeJS.ErrnoException) => error.code), "ENOSPC")
  })
})
