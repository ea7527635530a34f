import { rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { lockedPackages, PackageNotInstalled, packageNameOf } from "../../../infra/code/lockedPackages.ts"
import { packageRootOf } from "../../../infra/code/packageRoot.ts"
import { edit, emptyFolder } from "../../support/editedPackage.ts"

const identityOf = (root: string) => lockedPackages(root, ["dep"]).identities.dep

describe("the identity of a package", () => {
  const locked = JSON.stringify({
    packages: { "node_modules/dep": { version: "1.0.0", integrity: "sha512-one" } }
  })
  const nested = JSON.stringify({
    packages: {
      "node_modules/dep": { version: "2.0.0", integrity: "sha512-theirs" },
      "node_modules/distillery/node_modules/dep": { version: "1.0.0", integrity: "sha512-one" }
    }
  })
  const dep = '{ "name": "dep", "version": "1.0.0" }'
  const checkout = { "node_modules/.package-lock.json": locked, "node_modules/dep/package.json": dep }

  it.each([
    ["a checkout", "", checkout],
    ["a checkout inside a package of someone's", "", { "../package-lock.json": nested, ...checkout }],
    ["a dependency of the user's, hoisted", "node_modules/distillery", checkout],
    [
      "a dependency of the user's, nested because theirs is another version",
      "node_modules/distillery",
      {
        "node_modules/.package-lock.json": nested,
        "node_modules/dep/package.json": '{ "name": "dep", "version": "2.0.0" }',
        "node_modules/distillery/node_modules/dep/package.json": dep
      }
    ]
  ])("is the same in %s", (_, packageRoot, placed) => {
    const root = join(emptyFolder(), "inside")
    for (const [path, text] of Object.entries<string>(placed)) edit(root, path, text)
    edit(root, join(packageRoot, "package.json"), "{}")
    assert.strictEqual(identityOf(join(root, packageRoot)), "1.0.0 sha512-one")
  })

  it("is what its code holds where it is a link to a folder that is worked on", () => {
    const root = emptyFolder()
    const work = emptyFolder()
    edit(work, "package.json", dep)
    edit(work, "lib/index.js", "export const dep = 1")
    edit(work, "node_modules/inner/index.js", "")
    edit(work, "README.md", "")
    edit(root, "node_modules/other/package.json", "{}")
    symlinkSync(work, join(root, "node_modules/dep"))
    const before = identityOf(root)
    assert.match(before!, /^1\.0\.0 linked:[0-9a-f]{64}$/)
    assert.include(lockedPackages(root, ["dep"]).files, join(work, "lib/index.js"))
    edit(work, "README.md", "more")
    edit(work, "node_modules/inner/index.js", "more")
    assert.strictEqual(identityOf(root), before)
    edit(work, "lib/index.js", "export const dep = 2")
    assert.notStrictEqual(identityOf(root), before)
  })

  it("says so where no lock covers it, or it is not installed", () => {
    const root = emptyFolder()
    edit(root, "node_modules/dep/package.json", dep)
    assert.strictEqual(identityOf(root), "1.0.0 unlocked")
    edit(root, "package-lock.json", '{ "packages": { "node_modules/dep": { "version": "0.9.0" } } }')
    assert.strictEqual(identityOf(root), "1.0.0 unlocked")
    rmSync(join(root, "node_modules/dep"), { recursive: true })
    assert.throws(() => identityOf(root), PackageNotInstalled)
  })
})

describe("what packages depend on", () => {
  const installed: { readonly [path: string]: object } = {
    "node_modules/a": { version: "1.0.0", dependencies: { b: "1", "@types/x": "1", absent: "1" } },
    "node_modules/b": {
      version: "1.1.0",
      dependencies: { a: "1", c: "2", native: "1" },
      optionalDependencies: { native: "1" },
      peerDependencies: { peer: "1" },
      devDependencies: { dev: "1" }
    },
    "node_modules/b/node_modules/c": { version: "2.0.0" },
    "node_modules/c": { version: "1.9.0" },
    "node_modules/d": { version: "1.0.0", dependencies: { c: "1" } },
    "node_modules/@types/x": { version: "1.0.0" },
    "node_modules/native": { version: "1.0.0" },
    "node_modules/peer": { version: "1.0.0" },
    "node_modules/dev": { version: "1.0.0" }
  }
  const made = (): string => {
    const root = emptyFolder()
    for (const [path, json] of Object.entries(installed)) {
      edit(root, `${path}/package.json`, JSON.stringify(json))
    }
    return root
  }

  it("is in, as it is installed for them; what is optional, a peer or types alone is not", () => {
    assert.deepStrictEqual(lockedPackages(made(), ["a"]).identities, {
      a: "1.0.0 unlocked",
      b: "1.1.0 unlocked",
      c: "2.0.0 unlocked"
    })
  })

  it("may be two versions of one package", () => {
    assert.strictEqual(lockedPackages(made(), ["a", "d"]).identities.c, "1.9.0 unlocked, 2.0.0 unlocked")
  })

  it("names the files that it follows from, the lock files included that are not there", () => {
    const root = made()
    const { files } = lockedPackages(root, ["d"])
    const inside = files.flatMap((file) => (file.startsWith(root) ? [file.slice(root.length + 1)] : []))
    assert.includeMembers(inside, [
      "node_modules/.package-lock.json",
      "node_modules/c/package.json",
      "node_modules/d/package.json",
      "package-lock.json"
    ])
  })
})

describe("names", () => {
  it.each([
    ["effect", "effect"],
    ["effect/cli", "effect"],
    ["@tensorflow/tfjs/dist/x.js", "@tensorflow/tfjs"],
    ["node:fs", undefined],
    ["fs/promises", undefined]
  ])("the package of %s is %s", (specifier, name) => assert.strictEqual(packageNameOf(specifier), name))

  it("the package's root is found from a module, and named where there is none", () => {
    assert.strictEqual(packageRootOf(import.meta.url), process.cwd())
    assert.throws(() => packageRootOf("file:///nowhere/x.js"), /No package "distillery"/)
  })
})
