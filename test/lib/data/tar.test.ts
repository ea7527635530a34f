import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { checksumOf, readTar, type TarEntry } from "../../../lib/data/tar.ts"
import { writeTar } from "../../../lib/data/tar-writer.ts"

const encoder = new TextEncoder()

interface RawMember {
  readonly name: string
  readonly type?: string
  readonly link?: string
  readonly text?: string
}

/** Members as a careless or malicious program would write them: nothing is checked. */
const rawTar = (members: ReadonlyArray<RawMember>, ended = true): Uint8Array => {
  const blocks = members.flatMap(({ name, type = "0", link = "", text = "" }) => {
    const header = new Uint8Array(512)
    encoder.encodeInto(name, header.subarray(0, 100))
    encoder.encodeInto("0000644\0", header.subarray(100))
    encoder.encodeInto(`${text.length.toString(8).padStart(11, "0")}\0`, header.subarray(124))
    encoder.encodeInto(type, header.subarray(156))
    encoder.encodeInto(link, header.subarray(157, 257))
    encoder.encodeInto("ustar\u000000", header.subarray(257))
    encoder.encodeInto(`${checksumOf(header).toString(8).padStart(6, "0")}\0 `, header.subarray(148))
    const body = new Uint8Array(Math.ceil(text.length / 512) * 512)
    encoder.encodeInto(text, body)
    return [header, body]
  })
  return Buffer.concat([...blocks, new Uint8Array(ended ? 1024 : 0)])
}

const texts = (entries: ReadonlyArray<TarEntry>) =>
  Object.fromEntries(entries.map(({ name, bytes }) => [name, new TextDecoder().decode(bytes)]))

describe("tar", () => {
  const Name = Schema.String.check(Schema.isPattern(/^[a-zé日 .-]{1,150}$/u))
  it.effect.prop(
    "what is written is read back, long and foreign names included",
    { files: Schema.Array(Schema.Struct({ name: Name, text: Schema.String })) },
    ({ files }) =>
      Effect.gen(function* () {
        const byName = new Map(
          files.map(({ name, text }, index) => [`d${index}/${name}x`, encoder.encode(text)])
        )
        const entries = [...byName].map(([name, bytes]) => ({ name, bytes }))
        assert.deepStrictEqual(
          (yield* readTar("a.tar", writeTar(entries))).map(({ name, bytes }) => [name, [...bytes]]),
          entries.map(({ name, bytes }) => [name, [...bytes]])
        )
      })
  )

  it.effect("no byte depends on time, user or order of writing", () =>
    Effect.sync(() => {
      const entries = [{ name: "a", bytes: encoder.encode("one") }]
      assert.deepStrictEqual(writeTar(entries), writeTar(entries))
      // Mode, owner, group and time of the only header.
      const header = new TextDecoder().decode(writeTar(entries).subarray(100, 148))
      assert.strictEqual(header, "0000644\x000000000\x000000000\x0000000000003\x0000000000000\x00")
    })
  )

  it.effect("reads folders, ./ names, GNU long names and links to members", () =>
    Effect.gen(function* () {
      const long = `${"x".repeat(120)}.txt`
      const archive = rawTar([
        { name: "./d/", type: "5" },
        { name: "./d/a", text: "alpha" },
        { name: "d/s", type: "2", link: "a" },
        { name: "h", type: "1", link: "d/a" },
        { name: "d/e/up", type: "2", link: "../a" },
        { name: "././@LongLink", type: "L", text: `${long}\0` },
        { name: "x".repeat(99), text: "long" }
      ])
      assert.deepStrictEqual(texts(yield* readTar("a.tar", archive)), {
        "d/a": "alpha",
        [long]: "long",
        "d/s": "alpha",
        h: "alpha",
        "d/e/up": "alpha"
      })
    })
  )
})

describe("tar from a stranger", () => {
  it.effect.each([
    ["an absolute path", [{ name: "/etc/passwd" }], "/etc/passwd", "absolute"],
    ["a path that climbs out", [{ name: "a/../../b" }], "a/../../b", "leads outside"],
    ["a path with any ..", [{ name: "a/../b" }], "a/../b", "leads outside"],
    [
      "a pax name outside",
      [{ name: "p", type: "x", text: "15 path=../evi\n" }, { name: "ok" }],
      "../evi",
      "outside"
    ],
    ["a symbolic link outside", [{ name: "a/l", type: "2", link: "../../x" }], "a/l", "leads outside"],
    ["an absolute link", [{ name: "l", type: "2", link: "/etc/passwd" }], "l", "absolute"],
    ["a hard link outside", [{ name: "l", type: "1", link: "../x" }], "l", "leads outside"],
    ["a link to nothing", [{ name: "l", type: "2", link: "b" }], "l", "not a file of the archive"],
    ["a device", [{ name: "dev", type: "3" }], "dev", "neither file"],
    ["a member twice", [{ name: "a" }, { name: "./a" }], "a", "twice"],
    ["a negative pax size", [{ name: "p", type: "x", text: "12 size=-10\n" }, { name: "n" }], "n", "size"]
  ] as const)("refuses %s", ([, members, member, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(readTar("a.tar", rawTar(members)))
      assert.strictEqual(error._tag, "ArchiveInvalid")
      assert.strictEqual(error.member, member)
      assert.include(error.message, reason)
      assert.include(error.message, "a.tar")
    })
  )

  it.effect("refuses an archive cut anywhere, and one with a changed header", () =>
    Effect.gen(function* () {
      const whole = rawTar([{ name: "a", text: "x".repeat(700) }, { name: "b" }])
      for (const end of [0, 100, 512, 1000, 1536, 2048]) {
        const error = yield* Effect.flip(readTar("a.tar", whole.subarray(0, end)))
        assert.include(error.message, "truncated", `cut at ${end}`)
      }
      const changed = Uint8Array.from(whole)
      changed[0] = 0x7a
      assert.include((yield* Effect.flip(readTar("a.tar", changed))).message, "checksum")
    })
  )
})
