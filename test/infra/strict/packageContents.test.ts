/** A package that was changed after its installation is found, though its version and integrity are right. */
import { appendFileSync, cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { type InstalledPackage, lockedPackages } from "../../../infra/code/lockedPackages.ts"
import { packageRootOf } from "../../../infra/code/packageRoot.ts"
import { checkPackages } from "../../../infra/strict/packageContents.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const root = packageRootOf(import.meta.url)

const copyOf = (name: string): InstalledPackage => {
  const { identity } = lockedPackages(root, [name]).installed.find((one) => one.name === name)!
  const folder = join(temporaryFolder(), name)
  cpSync(join(root, "node_modules", name), folder, { recursive: true })
  return { name, identity, folder }
}

describe("installed packages (needs npm and its registry or cache)", () => {
  const sound = copyOf("yaml")
  const changed = copyOf("yaml")
  const torn = copyOf("fast-xml-parser")
  const unlocked = { ...copyOf("yaml"), name: "unlocked", identity: "1.0.0 unlocked" }
  let check: Awaited<ReturnType<typeof checkPackages>>

  beforeAll(async () => {
    appendFileSync(join(changed.folder, "dist/index.js"), "\n// patched\n")
    rmSync(join(torn.folder, "src/fxp.js"))
    check = await checkPackages([sound, torn, unlocked])
  }, 60_000)

  it("that are as they were published are none, those that no integrity covers are told", ({ skip }) => {
    skip(check.unchecked.includes("yaml"), "npm could not fetch the archives")
    assert.deepStrictEqual(check.unchecked, ["unlocked"])
    assert.notInclude(JSON.stringify(check.leaks), "yaml")
  })

  it("that miss a file, or hold another one, are told with the file", async ({ skip }) => {
    skip(check.unchecked.includes("yaml"), "npm could not fetch the archives")
    assert.match(check.leaks[0]!.what, /^fast-xml-parser [\d.]+ was changed .*: src\/fxp\.js$/)
    const { leaks } = await checkPackages([changed])
    assert.match(leaks[0]!.what, /^yaml [\d.]+ was changed after it was installed: dist\/index\.js$/)
  }, 60_000)
})
