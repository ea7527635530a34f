import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { keyPairFrom, newSecret } from "../../../infra/signing/ed25519.ts"
import { trustKey, untrustKey } from "../../../infra/signing/trustedFile.ts"
import { readTrustedKeys } from "../../../infra/signing/trustedKeys.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const keys = Array.from({ length: 20 }, () => keyPairFrom(newSecret())!.keyId)

describe("the file of trusted keys", () => {
  it("loses no change of many that are made at the same instant", async () => {
    const file = join(temporaryFolder(), "new", "trusted")
    const trust = (scope: string) => (keyId: (typeof keys)[0]) =>
      trustKey(file, { keyId, scopes: [scope], name: "" })
    await Promise.all(keys.map(trust("main")))
    assert.sameMembers(
      readTrustedKeys(file).keys.map(({ keyId }) => keyId),
      keys
    )
    writeFileSync(file, `# ours\n${readFileSync(file, "utf8")}`)
    const [gone, changed] = [keys.slice(0, 10), keys.slice(10)]
    await Promise.all([...gone.map((keyId) => untrustKey(file, keyId)), ...changed.map(trust("pr/*"))])
    const found = readTrustedKeys(file).keys
    assert.sameMembers(
      found.map(({ keyId }) => keyId),
      changed
    )
    assert.isTrue(found.every(({ scopes }) => scopes.join() === "pr/*"))
    assert.isTrue(readFileSync(file, "utf8").startsWith("# ours\n"))
  })
})
