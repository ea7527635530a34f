/** `distillery key`: whose results count, as one says it on the command line. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { keyPairFrom, newSecret } from "../../../infra/signing/ed25519.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { distillery } from "./builtProgram.ts"

/** A user of their own. */
const person = () => {
  const home = temporaryFolder()
  const call = (...args: ReadonlyArray<string>) =>
    distillery(args, { environment: { XDG_CONFIG_HOME: home } })
  return { call, folder: join(home, "distillery"), trusted: join(home, "distillery", "trusted") }
}

const newKey = () => keyPairFrom(newSecret())!.keyId

describe("key", () => {
  it("new prints a secret and keeps it nowhere, or writes a file that only its owner reads", async () => {
    const { call, folder } = person()
    const { code, stderr, stdout } = await call("key", "new")
    assert.strictEqual(code, 0)
    const { keyId } = keyPairFrom(stdout.trim())!
    assert.include(stderr, keyId)
    assert.notInclude(stderr, stdout.trim())
    assert.isFalse(existsSync(folder))

    const file = join(temporaryFolder(), "ci", "key")
    const made = await call("key", "new", "--output", file, "--json")
    assert.deepStrictEqual(Object.keys(JSON.parse(made.stdout)), ["schemaVersion", "keyId", "file"])
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    const text = readFileSync(file, "utf8")
    const again = await call("key", "new", "--output", file)
    assert.deepStrictEqual([again.code, readFileSync(file, "utf8")], [2, text])
    assert.match(again.stderr, /is there already\n {2}A key is never written over/)
    const nowhere = await call("key", "new", "--output", "/proc/x/key")
    assert.strictEqual(nowhere.code, 2)
    assert.match(nowhere.stderr, /could not be written to \/proc\/x\/key: .*\n {2}Name a file in a folder/)
  }, 20_000)

  it("show makes one's own silently, and says the same ever after", async () => {
    const { call } = person()
    const [first, second] = [await call("key", "show"), await call("key", "show")]
    assert.match(first.stdout, /^ed25519:[\w-]{43}\n$/)
    assert.deepStrictEqual([second.stdout, second.stderr], [first.stdout, ""])
    const secret = newSecret()
    const given = await distillery(["key", "show"], { environment: { DISTILLERY_KEY: `${secret}\n` } })
    assert.strictEqual(given.stdout.trim(), keyPairFrom(secret)!.keyId)
  }, 20_000)

  it("trust adds a key and changes its scopes, untrust takes it out, list says what counts", async () => {
    const { call, folder, trusted } = person()
    const [server, ann] = [newKey(), newKey()]
    mkdirSync(folder)
    writeFileSync(trusted, "# ours\n")
    const told = await call("key", "trust", server, "--scope", "pr/*,main", "--name", "the  build server")
    assert.deepStrictEqual([told.code, told.stdout], [0, ""])
    assert.strictEqual(told.stderr, `What ${server} signs counts in pr/*,main\n`)
    await call("key", "trust", ann, "--scope", "user/ann")
    const changed = await call("key", "trust", server, "--scope", "main")
    assert.include(changed.stderr, "counts in main (before: pr/*,main)")
    assert.strictEqual(
      readFileSync(trusted, "utf8"),
      `# ours\n${ann}  user/ann\n${server}  main  the build server\n`
    )
    const { keys, reads, writes } = JSON.parse((await call("key", "list", "--json")).stdout)
    assert.deepStrictEqual(
      keys.map(({ from, name, scopes }: never) => [name, scopes, from]),
      [
        ["yours", ["*"], "own"],
        ["", ["user/ann"], "file"],
        ["the build server", ["main"], "file"]
      ]
    )
    assert.deepStrictEqual([writes, reads], ["main", ["main"]])
    const gone = await call("key", "untrust", "the build server")
    assert.match(gone.stderr, /does not count any more \(before: in main\)/)
    assert.strictEqual(readFileSync(trusted, "utf8"), `# ours\n${ann}  user/ann\n`)
  }, 30_000)

  it("says where a key counts that nobody reads from yet, and that a line of the file is none", async () => {
    const { call, trusted } = person()
    const { stderr } = await call("key", "trust", newKey(), "--scope", "user/ann")
    assert.match(stderr, /Nothing is read from there yet: you read main \(DISTILLERY_TRUST_SCOPES says/)
    writeFileSync(trusted, "somebody main\n")
    assert.match(
      (await call("key", "list")).stderr,
      /line 1 of .* is no key followed by scopes: it counts for/
    )
  }, 20_000)
})

const secret = newSecret()

describe("a mistake is said, with what to do, and changes nothing", () => {
  const key = newKey()
  const mistakes: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
    [["trust", "ann", "--scope", "main"], /that is no public key\n {2}a key is ed25519: and 43 of/],
    [["trust", key.slice(0, -1), "--scope", "main"], /that is no public key/],
    [["trust", secret, "--scope", "main"], /it may be a secret key, which nobody else should have/],
    [["trust", `ed25519:${"A".repeat(42)}B`, "--scope", "main"], /another spelling of a key/],
    [["trust", key], /the flag --scope is missing/],
    [["trust", key, "--scope", "master"], /--scope: "master" is no scope\n {2}Scopes are main, pr\/<name>/],
    [["trust", key, "--scope", "main,pr/../main"], /"pr\/\.\.\/main" is no scope/],
    [["trust", key, "--scope", "main", "--name", "a\u0007b"], /cannot be printed/],
    [["untrust", key], /no key ".*" is trusted\n {2}See: npx distillery key list/],
    [["nwe"], /there is no command "nwe": did you mean "new"\?/]
  ]
  it.concurrent.each(mistakes)("key %j", async (args, message) => {
    const { call, trusted } = person()
    const { code, stderr, stdout } = await call("key", ...args)
    assert.match(stderr, message)
    assert.notInclude(stderr, secret)
    assert.deepStrictEqual([code, stdout, existsSync(trusted)], [2, "", false])
  })

  it("one's own key needs no trust", async () => {
    const { call } = person()
    const own = (await call("key", "show")).stdout.trim()
    const { code, stderr } = await call("key", "trust", own, "--scope", "main")
    assert.strictEqual(code, 2)
    assert.match(stderr, /that is your own key\n {2}What it has signed counts for you anyway/)
  }, 20_000)

  it("a key that others can read is not used, before any work is done", async () => {
    const { call, folder } = person()
    await call("key", "show")
    chmodSync(join(folder, "key"), 0o644)
    for (const args of [
      ["key", "list"],
      ["run", "./toy.ts"]
    ]) {
      const { code, stderr } = await call(...args)
      assert.strictEqual(code, 2, stderr)
      assert.match(stderr, /other users may read it \(mode 644\)\. Run "chmod 600 .*\/key"; if somebody/)
    }
  }, 20_000)

  it.each([
    ["short", /DISTILLERY_KEY\): it is no key, which has 43 characters; `distillery key new` makes one/],
    [newKey(), /it is a public key; the secret one is what `distillery key new` printed beside it/]
  ])("DISTILLERY_KEY=%s", async (text, message) => {
    const { code, stderr } = await distillery(["key", "list"], { environment: { DISTILLERY_KEY: text } })
    assert.strictEqual(code, 2)
    assert.match(stderr, message)
  })
})
