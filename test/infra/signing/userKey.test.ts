import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { isSigned, keyPairFrom, newSecret, publicKeyProblem } from "../../../infra/signing/ed25519.ts"
import { parseTrustedKeys } from "../../../infra/signing/trustedKeys.ts"
import { readKey, readOrMakeKey } from "../../../infra/signing/userKey.ts"
import type { KeyId } from "../../../lib/storage/Signature.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const program = join(import.meta.dirname, "../../fixtures/signing/firstKey.ts")

/** Starts a process that waits for its turn; resolves when it is ready. */
const startOne = async (file: string) => {
  const child = spawn(process.execPath, [program, file], { stdio: ["pipe", "pipe", "inherit"] })
  await once(child.stdout, "data")
  return child
}

describe("the user's key", () => {
  it("is one for all processes that come first together", async () => {
    const file = join(temporaryFolder(), "new", "folder", "key")
    const children = await Promise.all([1, 2, 3, 4].map(() => startOne(file)))
    const told = children.map(async (child) => String((await once(child.stdout, "data"))[0]).trim())
    for (const child of children) child.stdin.write("go\n")
    const keys = await Promise.all(told)
    assert.strictEqual(new Set(keys).size, 1)
    assert.strictEqual(keys[0], readKey(file)?.keyId)
    assert.deepStrictEqual(readdirSync(join(file, "..")), ["key"])
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
  }, 20_000)

  it("stays the same, and is absent until it is needed", async () => {
    const file = join(temporaryFolder(), "key")
    assert.isUndefined(readKey(file))
    const made = await readOrMakeKey(file)
    assert.strictEqual((await readOrMakeKey(file)).keyId, made.keyId)
  })

  it("is never made anew over a file that holds none", async () => {
    const file = join(temporaryFolder(), "key")
    writeFileSync(file, "something else\n")
    assert.throws(() => readKey(file), /holds no key. Remove it to have a new one made/)
    const refusal = await readOrMakeKey(file).catch((error: Error) => error)
    assert.match((refusal as Error).message, /holds no key/)
    assert.strictEqual(readFileSync(file, "utf8"), "something else\n")
  })

  it("says what to do where it cannot be kept", async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, "file"), "")
    const refusal = await readOrMakeKey(join(folder, "file", "key")).catch((error: Error) => error)
    assert.match((refusal as Error).message, /XDG_CONFIG_HOME name a folder that can be written/)
    mkdirSync(join(folder, "key"))
    assert.throws(() => readKey(join(folder, "key")), /cannot be used/)
  })
})

describe("Ed25519", () => {
  it("takes keys as RFC 8032 prints them (test 2)", () => {
    const bytes = (hex: string) => Buffer.from(hex, "hex").toString("base64url")
    const pair = keyPairFrom(bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))!
    const publicKey = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert.strictEqual(pair.keyId, `ed25519:${bytes(publicKey)}`)
    const signature =
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    assert.strictEqual(pair.sign("\x72").signature, bytes(signature))
  })

  it("makes no secret that reads as a flag, as one of 64 draws would", () => {
    const secrets = Array.from({ length: 1000 }, newSecret)
    assert.isFalse(secrets.some((secret) => secret.startsWith("-")))
  })

  it("tells exactly what was signed, by whom", () => {
    const [one, other] = [keyPairFrom(newSecret())!, keyPairFrom(newSecret())!]
    const signed = one.sign("präzise")
    assert.isTrue(isSigned(signed, "präzise"))
    assert.isFalse(isSigned(signed, "prazise"))
    assert.isFalse(isSigned({ ...signed, keyId: other.keyId }, "präzise"))
    assert.isFalse(isSigned({ ...signed, signature: "" }, "präzise"))
    assert.isFalse(isSigned({ ...signed, keyId: "ed25519:short" as KeyId }, "präzise"))
  })

  it.each(["", "short", "!".repeat(43), newSecret().slice(1)])("%j is no secret key", (text) =>
    assert.isUndefined(keyPairFrom(text))
  )
})

describe("a text that is said to be a public key", () => {
  const secret = newSecret()
  const { keyId } = keyPairFrom(secret)!
  const twin = `${keyId.slice(0, -1)}${String.fromCharCode(keyId.charCodeAt(keyId.length - 1) + 1)}`

  it.each([
    [keyId, undefined],
    [secret, "it may be a secret key"],
    [`${keyId} `, "a key is ed25519:"],
    [keyId.toUpperCase(), "a key is ed25519:"],
    [twin, "another spelling of a key"]
  ])("%s", (text, problem) =>
    problem === undefined
      ? assert.isUndefined(publicKeyProblem(text))
      : assert.include(publicKeyProblem(text), problem)
  )

  it.each([
    "",
    "01",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    `${"ec".padEnd(62, "f")}7f`
  ])("nothing is signed by the point of small order %s", (hex) => {
    const bytes = Buffer.from(hex.padEnd(64, "0"), "hex").toString("base64url")
    const signature = Buffer.from([1, ...Array.from({ length: 63 }, () => 0)]).toString("base64url")
    for (let i = 0; i < 100; i++) {
      assert.isFalse(isSigned({ keyId: `ed25519:${bytes}` as KeyId, signature }, `message ${i}`))
    }
  })
})

describe("the file of trusted keys", () => {
  const { keyId } = keyPairFrom(newSecret())!

  it("has a key and its scopes in a line", () => {
    const text = `# ours\n\n${keyId} main,pr/*  Ann's laptop\n${keyId}\t*\n`
    assert.deepStrictEqual(parseTrustedKeys(text, "trusted"), {
      keys: [
        { keyId, scopes: ["main", "pr/*"], name: "Ann's laptop" },
        { keyId, scopes: ["*"], name: "" }
      ]
    })
  })

  it.each([keyId, `${keyId} Ann`, `${keyId} main,`, "ed25519:short main", `x ${keyId} main`])(
    "%s: is none, which is told",
    (line) => {
      const { keys, problem } = parseTrustedKeys(`\n${line}\n`, "trusted")
      assert.deepStrictEqual(keys, [])
      assert.strictEqual(problem, "line 2 of trusted is no key followed by scopes")
    }
  )
})
