import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { AlreadyReported, endingOf, UsageError } from "../../../infra/cli/errors.ts"
import { paintFor } from "../../../infra/reporting/paint.ts"
import { BlobCorrupt } from "../../../lib/storage/BlobStore.ts"
import { StoreFull } from "../../../lib/storage/ObjectStore.ts"
import { DefinitionError } from "../../../lib/workflow/Stage.ts"

const ending = (error: unknown) => endingOf(Cause.fail(error), "1.2.3", paintFor(false))

describe("how errors end the program", () => {
  it("what, why and what to do, one under the other", () => {
    assert.deepStrictEqual(ending(new UsageError({ what: "a", why: "b", fix: "c" })), {
      lines: ["error: a", "  b", "  c"],
      exitCode: 2
    })
  })

  it("a wrong definition says where", () => {
    assert.deepStrictEqual(ending(new DefinitionError({ where: 'job "x"', message: "a cycle" })), {
      lines: ['error: job "x": a cycle'],
      exitCode: 2
    })
  })

  it("a full disk is a failure, damaged data is a matter of integrity", () => {
    assert.strictEqual(ending(new StoreFull({ key: "k", sizeBytes: 1, location: "/x" })).exitCode, 1)
    assert.strictEqual(ending(new BlobCorrupt({ blob: "a", found: "b" })).exitCode, 4)
  })

  it("what was told already is not told again", () => {
    assert.deepStrictEqual(ending(new AlreadyReported({ exitCode: 3 })), { lines: [], exitCode: 3 })
  })

  it("a defect shows its stack, the versions, and where to go with it", () => {
    const { exitCode, lines } = endingOf(Cause.die(new TypeError("x is undefined")), "1.2.3", paintFor(false))
    const text = lines.join("\n")
    assert.strictEqual(exitCode, 1)
    assert.match(text, /TypeError: x is undefined\n\s+at .*errors\.test\.ts/)
    assert.include(text, "distillery 1.2.3, Node v")
    assert.include(text, "report")
  })

  it("no stack for errors of the user's", () => {
    assert.isFalse(ending(new UsageError({ what: "a" })).lines.some((line) => line.includes(" at ")))
  })

  it("escape sequences in an error do not reach the terminal", () => {
    assert.deepStrictEqual(ending(new UsageError({ what: "a\u001b[2Jb" })).lines, ["error: ab"])
  })
})
