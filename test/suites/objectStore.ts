/** The contract of `ObjectStore`: every implementation passes this suite unchanged. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { wholeOf } from "../../lib/storage/ByteSource.ts"
import { type ObjectInfo, ObjectStore, type StoreError } from "../../lib/storage/ObjectStore.ts"
import { counted, countedBytes, failing } from "./byteSources.ts"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const Segment = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,20}$/))
const Content = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))

/** Servers tell times to the second, and of a write only when they are asked later. */
export const assertSame = (found: ObjectInfo, expected: ObjectInfo): void => {
  const { modifiedAtMillis, ...rest } = expected
  assert.deepInclude(found, rest)
  assert.approximately(found.modifiedAtMillis, modifiedAtMillis, 5000)
}

const listed = (store: ObjectStore["Service"], prefix: string) =>
  Effect.map(Stream.runCollect(store.list(prefix)), (infos) => infos.map((info) => info.key))

/** Each test gets a store of its own. */
export const objectStoreSuite = (name: string, layer: Layer.Layer<ObjectStore, StoreError>) => {
  const test = <E>(title: string, body: (store: ObjectStore["Service"]) => Effect.Effect<void, E>) =>
    it.effect(title, () => Effect.flatMap(ObjectStore, body).pipe(Effect.provide(layer)))

  describe(`ObjectStore (${name})`, () => {
    it.effect.prop(
      "get and head return what put wrote, however often it is replaced",
      { folder: Segment, file: Segment, contents: Schema.NonEmptyArray(Content) },
      ({ folder, file, contents }) =>
        Effect.gen(function* () {
          const store = yield* ObjectStore
          const key = `${folder}/x/${file}`
          for (const content of contents) {
            const bytes = Uint8Array.from(content)
            const written = yield* store.put(key, bytes)
            assert.deepStrictEqual(yield* store.get(key), bytes)
            assertSame(yield* store.head(key), written)
            assert.strictEqual(written.sizeBytes, bytes.length)
          }
          yield* store.remove(key)
        }).pipe(Effect.provide(layer)),
      { arbitrary: { runs: 25 } }
    )

    test("what is absent is an error of its own", (store) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(store.get("a/b")))._tag, "ObjectNotFound")
        assert.strictEqual((yield* Effect.flip(store.head("a/b")))._tag, "ObjectNotFound")
        yield* store.remove("a/b")
        yield* store.put("a/b", bytesOf("x"))
        yield* store.remove("a/b")
        assert.strictEqual((yield* Effect.flip(store.get("a/b")))._tag, "ObjectNotFound")
        assert.strictEqual((yield* Effect.flip(store.get("a")))._tag, "ObjectNotFound")
      }))

    test("what is larger than it may be is not read, and its size is told", (store) =>
      Effect.gen(function* () {
        for (const sizeBytes of [10, 100_000]) {
          const bytes = new Uint8Array(sizeBytes).fill(7)
          yield* store.put("a/b", bytes)
          assert.deepStrictEqual(yield* store.get("a/b", sizeBytes), bytes)
          const error = yield* Effect.flip(store.get("a/b", sizeBytes - 1))
          const sizeBytesMax = sizeBytes - 1
          assert.deepInclude(error, { _tag: "ObjectTooLarge", key: "a/b", sizeBytes, sizeBytesMax })
        }
        assert.strictEqual((yield* Effect.flip(store.get("a/c", 5)))._tag, "ObjectNotFound")
        yield* store.put("a/b", new Uint8Array(0))
        assert.lengthOf(yield* store.get("a/b", 0), 0)
      }))

    test("keys that would leave the store, or are none, are refused", (store) =>
      Effect.gen(function* () {
        for (const key of [
          "",
          "../x",
          "a/../../x",
          "a//b",
          "/a",
          "a/",
          "a b",
          "ä",
          ".",
          `${"x".repeat(300)}`
        ]) {
          assert.strictEqual((yield* Effect.flip(store.put(key, bytesOf("x"))))._tag, "StoreUnavailable", key)
          assert.strictEqual((yield* Effect.flip(store.get(key)))._tag, "ObjectNotFound", key)
        }
      }))

    test("a version changes with the bytes, and only with them for small objects", (store) =>
      Effect.gen(function* () {
        const first = yield* store.put("v", bytesOf("one"))
        const second = yield* store.put("v", bytesOf("two"))
        assert.notStrictEqual(first.version, second.version)
        const large = new Uint8Array(200_000)
        const before = yield* store.put("large", large)
        const after = yield* store.put("large", large.fill(1))
        assert.notStrictEqual(before.version, after.version)
        assertSame(yield* store.head("large"), after)
      }))

    test("stamps tell of many objects whether they are there and as they were", (store) =>
      Effect.gen(function* () {
        const keys = Array.from(
          { length: 60 },
          (_, nth) => `m/${nth % 2 === 0 ? "even" : "odd"}/${nth % 7}/${nth}`
        )
        for (const key of keys) yield* store.put(key, bytesOf(key))
        const asked = ["m/even", "m/even/0/none", ...keys, "m/odd", "no key", keys[0]!]
        const before = yield* store.stamps(asked)
        const sizes = asked.map((key) => (keys.includes(key) ? key.length : undefined))
        assert.deepStrictEqual(
          before.map((stamp) => stamp?.sizeBytes),
          sizes
        )
        assert.deepStrictEqual(yield* store.stamps(asked), before)
        assert.deepStrictEqual(yield* store.stamps(asked.slice(0, 5)), before.slice(0, 5))
        yield* store.put(keys[1]!, bytesOf(keys[1]!.toUpperCase()))
        yield* store.remove(keys[2]!)
        const after = yield* store.stamps(keys)
        assert.notStrictEqual(after[1]?.stamp, before[3]?.stamp)
        assert.deepStrictEqual([after[0], after[2], after[3]], [before[2], undefined, before[5]])
      }))

    test("a conditional put happens only while its condition holds", (store) =>
      Effect.gen(function* () {
        const { version } = yield* store.put("c", bytesOf("one"), { _tag: "Absent" })
        const again = yield* Effect.flip(store.put("c", bytesOf("two"), { _tag: "Absent" }))
        assert.strictEqual(again._tag, "PreconditionFailed")
        yield* store.put("c", bytesOf("three"), { _tag: "Version", version })
        const late = yield* Effect.flip(store.put("c", bytesOf("four"), { _tag: "Version", version }))
        assert.strictEqual(late._tag, "PreconditionFailed")
        const none = yield* Effect.flip(store.put("d", bytesOf("x"), { _tag: "Version", version }))
        assert.strictEqual(none._tag, "PreconditionFailed")
        assert.strictEqual(textOf(yield* store.get("c")), "three")
        assert.deepStrictEqual(yield* listed(store, ""), ["c"])
      }))

    test("of twenty writers of an absent key exactly one wins, and its bytes stand", (store) =>
      Effect.gen(function* () {
        const writers = Array.from({ length: 20 }, (_, index) => index)
        const won = yield* Effect.forEach(
          writers,
          (index) =>
            store.put("race", bytesOf(`writer ${index}`), { _tag: "Absent" }).pipe(
              Effect.as([index]),
              Effect.catchTag("PreconditionFailed", () => Effect.succeed([]))
            ),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(won.flat(), 1)
        assert.strictEqual(textOf(yield* store.get("race")), `writer ${won.flat()[0]}`)
      }))

    test("a counter moved by compare-and-swap loses no step", (store) =>
      Effect.gen(function* () {
        yield* store.put("counter", bytesOf("0"))
        const step = Effect.gen(function* () {
          const { version } = yield* store.head("counter")
          const value = Number(textOf(yield* store.get("counter")))
          yield* store.put("counter", bytesOf(String(value + 1)), { _tag: "Version", version })
        })
        const patient = Effect.retry(step, { while: (error) => error._tag === "PreconditionFailed" })
        yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.repeat(patient, { times: 2 }), {
          concurrency: "unbounded"
        })
        assert.strictEqual(textOf(yield* store.get("counter")), "30")
      }))

    test("readers see whole objects while writers replace them", (store) =>
      Effect.gen(function* () {
        const write = (index: number) => store.put("torn", new Uint8Array(300_000).fill(index))
        yield* write(0)
        const read = Effect.gen(function* () {
          const bytes = yield* store.get("torn")
          assert.strictEqual(bytes.length, 300_000)
          assert.isTrue(bytes.every((byte) => byte === bytes[0]))
        })
        yield* Effect.all(
          [
            Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], write),
            Effect.forEach(Array.from({ length: 40 }), () => read, { concurrency: 4 })
          ],
          { concurrency: "unbounded" }
        )
      }))

    test("bytes that come in chunks are written whole, over what was there, small or large", (store) =>
      Effect.gen(function* () {
        for (const [count, chunkBytes] of [
          [3, 5],
          [40, 500_000]
        ] as const) {
          const written = yield* store.putStream("stream", counted(count, chunkBytes))
          assertSame(yield* store.head("stream"), written)
          assert.strictEqual(written.sizeBytes, count * chunkBytes)
          const expected = countedBytes(count, chunkBytes)
          assert.isTrue(Buffer.from(yield* store.get("stream")).equals(expected))
        }
        const refused = yield* Effect.flip(store.putStream("../x", counted(1, 1)))
        assert.strictEqual(refused._tag, "StoreUnavailable")
      }))

    test("what is read in chunks is one version, whole, however often it is read", (store) =>
      Effect.gen(function* () {
        for (const [count, chunkBytes] of [
          [0, 1],
          [1, 5],
          [180, 500_000]
        ] as const) {
          const expected = countedBytes(count, chunkBytes)
          yield* store.put("chunks", expected)
          const source = yield* store.getStream("chunks")
          assert.strictEqual(source.sizeBytes, expected.length)
          for (let nth = 0; nth < 2; nth++) {
            assert.isTrue(Buffer.from(yield* wholeOf(source)).equals(expected))
          }
          // Left off after the first of them, which ends what goes on in the background.
          yield* Stream.runDrain(Stream.take(source.chunks, 1))
        }
        for (const key of ["none", "../x"]) {
          assert.strictEqual((yield* Effect.flip(store.getStream(key)))._tag, "ObjectNotFound")
        }
      }))

    test("what is read in chunks can be written in chunks", (store) =>
      Effect.gen(function* () {
        const expected = countedBytes(40, 500_000)
        yield* store.put("from", expected)
        const written = yield* store.putStream("to", yield* store.getStream("from"))
        assert.strictEqual(written.sizeBytes, expected.length)
        assert.isTrue(Buffer.from(yield* store.get("to")).equals(expected))
      }))

    test("a source that fails leaves what was there, and its error is told", (store) =>
      Effect.gen(function* () {
        yield* store.put("stays", bytesOf("old"))
        for (const source of [counted(2, 5), counted(40, 500_000)]) {
          const error = yield* Effect.flip(store.putStream("stays", failing(source, "changed" as const)))
          assert.strictEqual(error, "changed")
          assert.strictEqual(textOf(yield* store.get("stays")), "old")
          yield* Effect.flip(store.putStream("none", failing(source, "changed" as const)))
        }
        assert.deepStrictEqual(yield* listed(store, ""), ["stays"])
      }))

    test("list gives the keys with a prefix, in order, at any depth", (store) =>
      Effect.gen(function* () {
        const keys = ["a-b", "a.c/x", "a/b/c", "a/b/d", "a/c", "a0", "b/a"]
        for (const key of [...keys].reverse()) yield* store.put(key, bytesOf(key))
        assert.deepStrictEqual(yield* listed(store, ""), keys)
        assert.deepStrictEqual(yield* listed(store, "a/b"), ["a/b/c", "a/b/d"])
        assert.deepStrictEqual(yield* listed(store, "a/b/"), ["a/b/c", "a/b/d"])
        assert.deepStrictEqual(yield* listed(store, "a"), keys.slice(0, -1))
        assert.deepStrictEqual(yield* listed(store, "none/at/all"), [])
        const [info] = yield* Stream.runCollect(store.list("b/"))
        assertSame(info!, yield* store.head("b/a"))
      }))

    test("many are removed at once, present or not", (store) =>
      Effect.gen(function* () {
        const keys = Array.from({ length: 30 }, (_, index) => `many/${index}`)
        yield* Effect.forEach([...keys, "other"], (key) => store.put(key, bytesOf(key)), { concurrency: 8 })
        yield* store.removeAll([...keys, "none", "../none"])
        assert.deepStrictEqual(yield* listed(store, ""), ["other"])
        yield* store.removeAll([])
      }))

    test("objects are moved, over what stands there, and only as the version that was named", (store) =>
      Effect.gen(function* () {
        const large = new Uint8Array(200_000).fill(7)
        yield* store.put("from/a", bytesOf("a"))
        yield* store.put("from/large", large)
        yield* store.put("to/a", bytesOf("old"))
        const { version } = yield* store.put("from/b", bytesOf("before"))
        yield* store.put("from/b", bytesOf("after"))
        const known = yield* store.put("from/c", bytesOf("c"))
        const wanted = [
          { from: "from/a", to: "to/a", sizeBytes: 1 },
          { from: "from/large", to: "to/large", sizeBytes: large.length },
          { from: "from/none", to: "to/none", sizeBytes: 1 },
          { from: "from/b", to: "to/b", sizeBytes: 6, version },
          { from: "from/c", to: "to/c", sizeBytes: 1, version: known.version }
        ]
        const moved = yield* store.moveAll(wanted)
        assert.sameMembers(
          moved.map(({ from }) => from),
          ["from/a", "from/large", "from/c"]
        )
        assert.deepStrictEqual(yield* listed(store, "from/"), ["from/b"])
        const there = (yield* listed(store, "to/")).filter((key) => key !== "to/b")
        assert.deepStrictEqual(there, ["to/a", "to/c", "to/large"])
        assert.deepStrictEqual(
          [textOf(yield* store.get("to/a")), textOf(yield* store.get("from/b"))],
          ["a", "after"]
        )
        assert.deepStrictEqual(yield* store.get("to/large"), large)
      }))

    test("what was moved is young", (store) =>
      Effect.gen(function* () {
        const { modifiedAtMillis } = yield* store.put("old", bytesOf("x"))
        yield* Effect.sleep(1100).pipe(TestClock.withLive)
        yield* TestClock.adjust(1100)
        yield* store.moveAll([{ from: "old", to: "new", sizeBytes: 1 }])
        assert.isAbove((yield* store.head("new")).modifiedAtMillis, modifiedAtMillis)
      }))

    test("nothing is left over where no writer was killed", (store) =>
      Effect.gen(function* () {
        yield* store.put("a/b", bytesOf("x"))
        assert.strictEqual(yield* store.removeLeftovers(Date.now() + 60_000), 0)
        assert.deepStrictEqual(yield* listed(store, ""), ["a/b"])
      }))

    test("what was read or written is not changed by what the caller does to its bytes", (store) =>
      Effect.gen(function* () {
        const bytes = bytesOf("same")
        yield* store.put("own", bytes)
        bytes.fill(0)
        ;(yield* store.get("own")).fill(0)
        assert.strictEqual(textOf(yield* store.get("own")), "same")
      }))
  })
}
