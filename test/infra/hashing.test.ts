/** SHA-256 of what comes bit by bit, here or in a thread beside, is that of the whole. */
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { closeSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { digestOf, hasherLayer } from "../../infra/hashing.ts"
import { hashBeside, hashedBeside, sharedRoom, writtenBeside } from "../../infra/hashThread.ts"
import { Hasher } from "../../lib/storage/Digest.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const module = join(import.meta.dirname, "../../infra/hashThread.ts")
const bytes = randomBytes(3_000_001)
const hexOf = (content: Uint8Array) => digestOf(content).slice("sha256:".length)

const shared = (content: Uint8Array): Buffer => {
  const room = sharedRoom(content.length)
  room.set(content)
  return room
}

describe("Hasher", () => {
  it.effect.each([0, 2 ** 30])("hashes what comes in chunks of any kind, of about %i bytes", (sizeBytes) =>
    Effect.gen(function* () {
      const hasher = yield* Hasher
      const hashes = [hasher.incremental(sizeBytes), hasher.incremental(sizeBytes)]
      for (let at = 0; at < bytes.length; at += 400_000) {
        const chunk = bytes.subarray(at, at + 400_000)
        // Side by side, and once from memory that is used again at the next but one.
        yield* hashes[0]!.update(chunk)
        yield* hashes[1]!.update(at % 800_000 === 0 ? shared(chunk) : chunk)
      }
      for (const hash of hashes) assert.strictEqual(yield* hash.digest, digestOf(bytes))
      assert.strictEqual(yield* hasher.incremental(sizeBytes).digest, digestOf(new Uint8Array(0)))
    }).pipe(Effect.provide(hasherLayer))
  )

  it("uses a chunk only until the next one is taken", async () => {
    const hash = hashBeside()!
    const room = sharedRoom(2_000_000)
    const halves = [room.subarray(0, 1_000_000), room.subarray(1_000_000)]
    for (let nth = 0; nth < 20; nth++) {
      halves[nth % 2]!.fill(nth)
      await hash.update(halves[nth % 2]!)
    }
    const all = Buffer.concat(Array.from({ length: 20 }, (_, nth) => Buffer.alloc(1_000_000, nth)))
    assert.strictEqual(await hash.digest(), hexOf(all))
  })

  it("hashes shared memory at once, and leaves other memory to whoever asks", async () => {
    assert.strictEqual(await hashedBeside(shared(bytes)), hexOf(bytes))
    assert.isUndefined(hashedBeside(bytes))
  })

  it("writes shared memory where the file ends, and says what the system says", async () => {
    const file = join(temporaryFolder(), "written")
    const descriptor = openSync(file, "wx")
    const writing = [bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)].map((part) =>
      writtenBeside(descriptor, shared(part))
    )
    await Promise.all(writing)
    closeSync(descriptor)
    assert.isTrue(readFileSync(file).equals(bytes))
    assert.isUndefined(writtenBeside(descriptor, bytes))
    const reader = openSync(file, "r")
    const refusal = await writtenBeside(reader, shared(bytes))!.catch((error: unknown) => error)
    assert.strictEqual((refusal as { readonly code?: string }).code, "EBADF")
    closeSync(reader)
    assert.strictEqual(await hashedBeside(shared(bytes)), hexOf(bytes))
  })

  it("keeps a process for as long as something is hashed, and no longer", () => {
    const script = `
      const { hashedBeside, sharedRoom } = await import(${JSON.stringify(module)})
      hashedBeside(sharedRoom(50_000_000)).then((hex) => console.log(hex))`
    const args = ["--input-type=module", "--eval", script]
    const said = execFileSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 })
    assert.strictEqual(said.trim(), hexOf(Buffer.alloc(50_000_000)))
  })
})
