import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { filesDigest } from "../../../lib/data/files-digest.ts"
import { Hasher } from "../../../lib/storage/Digest.ts"

const digest = (files: Readonly<Record<string, string>>) =>
  Effect.map(Hasher, (hasher) =>
    filesDigest(
      hasher,
      Object.entries(files).map(([path, text]) => ({ path, bytes: new TextEncoder().encode(text) }))
    )
  )

it.layer(hasherLayer)("the digest of a set of files", (it) => {
  it.effect("is of names and contents, sorted by code unit, whatever the order", () =>
    Effect.gen(function* () {
      // A locale would sort "a" before "B", and "é" before "z".
      const lines = ["B/2", "a", "z", "é"].map((path) => `${path}\0${digestOf(`of ${path}`)}\n`)
      const expected = digestOf(`folder/1\n${lines.join("")}`)
      assert.strictEqual(yield* digest({ é: "of é", z: "of z", a: "of a", "B/2": "of B/2" }), expected)
      assert.strictEqual(yield* digest({ "B/2": "of B/2", a: "of a", é: "of é", z: "of z" }), expected)
    })
  )

  it.effect("tells apart what joins to the same text, and no files from an empty one", () =>
    Effect.gen(function* () {
      const sets = [
        {},
        { a: "" },
        { ab: "c" },
        { a: "bc" },
        { a: "b", c: "" },
        { a: "", c: "b" },
        { "a\nb": "" }
      ]
      const digests = yield* Effect.forEach(sets, digest)
      assert.strictEqual(new Set(digests).size, sets.length)
    })
  )
})
