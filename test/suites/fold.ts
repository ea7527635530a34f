/** The contract of `Fold` on any store: whatever was computed before, it comes to the plain left fold. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schema, Stream } from "effect"
import { digestOf } from "../../infra/hashing.ts"
import { Hasher } from "../../lib/storage/Digest.ts"
import { ObjectStore, type StoreError } from "../../lib/storage/ObjectStore.ts"
import { mainScope, type Scope } from "../../lib/storage/Signature.ts"
import * as Fold from "../../lib/workflow/Fold.ts"
import type { StateSeals } from "../../lib/workflow/StateSeals.ts"
import { testSeals } from "../support/signing.ts"

type Services = ObjectStore | Hasher

interface Job {
  /** Jobs of one name have one key. */
  readonly name?: string
  readonly start?: Schema.Json
  readonly forkPoints?: ReadonlyArray<number>
  readonly fromScratch?: boolean
  readonly runId?: string
  readonly scope?: string
  /** What the job's code and inputs are: jobs of another base share nothing. */
  readonly base?: string
  /** Ends, as if killed, once this many elements are done. */
  readonly killedAfter?: number
  /** Runs before each element. */
  readonly before?: Effect.Effect<void>
}

interface Outcome {
  readonly state: string
  /** Elements that were executed. */
  readonly executed: ReadonlyArray<number>
  readonly notes: ReadonlyArray<string>
  readonly facts: Schema.JsonObject
}

/** No order of elements, and no other elements, lead to the same state. */
const act = (state: string, element: number) => digestOf(`${state} ${element}`)
const plainFold = (elements: ReadonlyArray<number>, start: Schema.Json = 0) =>
  elements.reduce<string>(act, JSON.stringify(start))

const decode = (bytes: Uint8Array) => {
  const text = new TextDecoder().decode(bytes)
  return text === "of something else" ? Effect.fail("unfit" as const) : Effect.succeed(text)
}

/** A job's body on a fold; it dies before it saves no state. */
const runJob = Effect.fnUntraced(function* (elements: ReadonlyArray<number>, options: Job = {}) {
  const { base = "code", fromScratch = false, killedAfter = elements.length, start = 0 } = options
  const notes: Array<string> = []
  let facts: Schema.JsonObject = {}
  const fold = yield* Fold.make(
    {
      jobKey: digestOf(options.name ?? JSON.stringify([elements, start, base])),
      base: digestOf(base),
      scope: (options.scope ?? "main") as Scope,
      runId: options.runId ?? "run",
      fromScratch,
      note: (line) => Effect.sync(() => void notes.push(line)),
      provenance: (more) =>
        Effect.sync(() => {
          facts = { ...facts, ...more }
        })
    },
    { start, elements, forkPoints: options.forkPoints ?? [] }
  )
  const found = yield* fold.latest(decode)
  let { done, state } = Option.getOrElse(found, () => ({ done: 0, state: JSON.stringify(start) }))
  const executed: Array<number> = []
  while (done < killedAfter) {
    yield* options.before ?? Effect.void
    const element = elements[done]!
    executed.push(element)
    state = act(state, element)
    done++
    yield* fold.save(done, new TextEncoder().encode(state))
  }
  return { state, executed, notes, facts } satisfies Outcome as Outcome
})

const keysOf = Effect.fnUntraced(function* (prefix = "folds/") {
  const infos = yield* Stream.runCollect((yield* ObjectStore).list(prefix))
  return infos.map(({ key }) => key)
})
const pointers = Effect.map(keysOf(), (keys) => keys.filter((key) => key.endsWith("pointer.json")))

const stemAfter = Effect.fnUntraced(function* (elements: ReadonlyArray<number>) {
  const chain = { start: 0, elements }
  const keys = Fold.stateKeys(yield* Hasher, digestOf("code"), chain)
  return Fold.stemOf(mainScope, keys[elements.length]!)
})
const isKept = (elements: ReadonlyArray<number>) =>
  Effect.map(
    Effect.flatMap(stemAfter(elements), ({ stem }) => keysOf(stem)),
    (keys) => keys.length > 0
  )

const ten = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

/** Each test gets a store of its own. */
export const foldSuite = (name: string, storage: Layer.Layer<Services, StoreError>) => {
  const layer = Layer.merge(storage, testSeals)
  const test = <E>(title: string, body: () => Effect.Effect<void, E, Services | StateSeals>) =>
    it.effect(title, () => Effect.provide(body(), layer))

  describe(`Fold (${name})`, () => {
    it.effect.each(ten)("killed after %i elements, it goes on with the next", (killedAfter) =>
      Effect.gen(function* () {
        const killed = yield* runJob(ten, { killedAfter })
        assert.deepStrictEqual(killed.executed, ten.slice(0, killedAfter))
        const { executed, facts, notes, state } = yield* runJob(ten)
        assert.deepStrictEqual(executed, ten.slice(killedAfter))
        assert.strictEqual(state, plainFold(ten))
        assert.deepStrictEqual(facts, { fold: { elements: 10, found: killedAfter, own: killedAfter } })
        assert.deepStrictEqual(notes, [])
      }).pipe(Effect.provide(layer))
    )

    test("with more elements, it executes those only", () =>
      Effect.gen(function* () {
        yield* runJob(ten)
        const { executed, state } = yield* runJob([...ten, 11, 12])
        assert.deepStrictEqual(executed, [11, 12])
        assert.strictEqual(state, plainFold([...ten, 11, 12]))
        assert.deepStrictEqual((yield* runJob([...ten, 11, 12])).executed, [])
      }))

    it.effect.each(ten)("with another tail after %i elements, it executes the tail only", (fork) =>
      Effect.gen(function* () {
        yield* runJob(ten, { forkPoints: [fork] })
        const tails = [90, 91].map((tail) => [...ten.slice(0, fork), tail, tail, tail])
        for (const elements of tails) {
          // The second tail finds the state though the first one declared no fork point.
          const { executed, state } = yield* runJob(elements)
          assert.deepStrictEqual(executed, elements.slice(fork))
          assert.strictEqual(state, plainFold(elements))
        }
      }).pipe(Effect.provide(layer))
    )

    test("says how much of what it found it had executed itself", () =>
      Effect.gen(function* () {
        yield* runJob(ten, { forkPoints: [3] })
        const tail = [1, 2, 3, 90, 91, 92, ...Array.from({ length: 40 }, () => 9)]
        const forked = yield* runJob(tail, { killedAfter: 40 })
        assert.deepStrictEqual(forked.facts, { fold: { elements: 46, found: 3 } })
        assert.deepStrictEqual((yield* runJob(tail)).facts, { fold: { elements: 46, found: 40, own: 37 } })
        const longer = yield* runJob([...tail, 5])
        assert.deepStrictEqual(longer.facts, { fold: { elements: 47, found: 46 } })
      }))

    test("keeps the last two states, fork points, and what other jobs saved", () =>
      Effect.gen(function* () {
        yield* runJob(ten, { forkPoints: [3, 5] })
        const kept = ten.filter((count) => [3, 5, 9, 10].includes(count))
        for (const count of ten) {
          assert.strictEqual(yield* isKept(ten.slice(0, count)), kept.includes(count), `after ${count}`)
        }
        yield* runJob([...ten, 11, 12, 13])
        for (const count of kept) assert.isTrue(yield* isKept(ten.slice(0, count)), `after ${count}`)
        assert.isFalse(yield* isKept([...ten, 11]))
        // Equal states, saved again by another job, are the first one's still.
        yield* runJob(ten, { name: "other", fromScratch: true, runId: "again" })
        for (const count of kept) assert.isTrue(yield* isKept(ten.slice(0, count)), `after ${count}`)
      }))

    test("of more fork points than it may keep, it keeps the latest", () =>
      Effect.gen(function* () {
        yield* runJob(ten, { forkPoints: [5, 1, 7, 3] }).pipe(
          Effect.provideService(Fold.FoldPolicy, { states: 4 })
        )
        for (const count of ten) {
          assert.strictEqual(yield* isKept(ten.slice(0, count)), [5, 7, 9, 10].includes(count))
        }
      }))

    test("a job leaves as many states as the policy says, however often it was killed", () =>
      Effect.gen(function* () {
        const forkPoints = [1, 2, 3, 4, 5, 6, 7]
        for (const states of [1, 2, 4]) {
          const start = `policy ${states}`
          const before = (yield* pointers).length
          for (const killedAfter of [2, 3, 6, 10]) {
            yield* runJob(ten, { start, forkPoints, killedAfter }).pipe(
              Effect.provideService(Fold.FoldPolicy, { states })
            )
          }
          assert.strictEqual((yield* pointers).length - before, states)
        }
        // A pointer and its bytes for each, and nothing else.
        assert.lengthOf(yield* keysOf(), 2 * (1 + 2 + 4))
      }))

    test("shares nothing with another start, other code or inputs, or another scope", () =>
      Effect.gen(function* () {
        yield* runJob(ten)
        assert.deepStrictEqual((yield* runJob(ten, { start: 1 })).executed, ten)
        assert.deepStrictEqual((yield* runJob(ten, { base: "other code" })).executed, ten)
        assert.deepStrictEqual((yield* runJob(ten, { scope: "pr/7" })).executed, ten)
        assert.deepStrictEqual((yield* runJob([11, ...ten.slice(1)])).executed, [11, ...ten.slice(1)])
      }))

    test("from scratch, it goes on only from what the same run saved", () =>
      Effect.gen(function* () {
        yield* runJob(ten)
        const again = { fromScratch: true, runId: "again" }
        assert.lengthOf((yield* runJob(ten, { ...again, killedAfter: 4 })).executed, 4)
        const { executed, state } = yield* runJob(ten, again)
        assert.deepStrictEqual(executed, ten.slice(4))
        assert.strictEqual(state, plainFold(ten))
        assert.deepStrictEqual((yield* runJob(ten, { ...again, runId: "once more" })).executed, ten)
        assert.deepStrictEqual((yield* runJob(ten)).executed, [])
      }))

    test("a damaged state is passed over with a note, and mended", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStore
        yield* runJob(ten)
        const { stem } = yield* stemAfter(ten)
        const keys = yield* keysOf(stem)
        const bytesKey = keys.find((key) => !key.endsWith("pointer.json"))!
        const damages = [
          [store.put(bytesKey, new TextEncoder().encode("damaged")), /after 10 of 10 .* were damaged/],
          [store.remove(bytesKey), /after 10 of 10 .* are gone/],
          [store.put(`${stem}pointer.json`, new Uint8Array(3)), /after 10 of 10 .* unreadable/]
        ] as const
        for (const [damage, note] of damages) {
          yield* damage
          const { executed, notes, state } = yield* runJob(ten)
          assert.deepStrictEqual(executed, [10])
          assert.strictEqual(state, plainFold(ten))
          assert.lengthOf(notes, 1)
          assert.match(notes[0]!, note)
          assert.deepStrictEqual(yield* runJob(ten), { ...(yield* runJob(ten)), executed: [], notes: [] })
        }
      }))

    test("a state that the body cannot read is passed over too", () =>
      Effect.gen(function* () {
        yield* runJob(ten)
        const fold = yield* Fold.make(
          {
            jobKey: digestOf("other"),
            base: digestOf("code"),
            scope: mainScope,
            runId: "run",
            fromScratch: false,
            note: () => Effect.void,
            provenance: () => Effect.void
          },
          { start: 0, elements: ten }
        )
        yield* fold.save(10, new TextEncoder().encode("of something else"))
        const { executed, notes, state } = yield* runJob(ten)
        assert.deepStrictEqual(executed, [10])
        assert.strictEqual(state, plainFold(ten))
        assert.match(notes[0]!, /after 10 of 10 .* cannot be read/)
      }))

    it.live("a state that is gone on from is young again", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStore
        yield* runJob(ten)
        const age = Effect.flatMap(stemAfter(ten), ({ stem }) => store.head(`${stem}pointer.json`))
        const before = yield* age
        yield* Effect.sleep("20 millis")
        yield* runJob(ten)
        assert.isAbove((yield* age).modifiedAtMillis, before.modifiedAtMillis)
      }).pipe(Effect.provide(layer))
    )

    test("all states gone, it begins at the start", () =>
      Effect.gen(function* () {
        yield* runJob(ten)
        const store = yield* ObjectStore
        for (const key of yield* keysOf()) yield* store.remove(key)
        assert.deepStrictEqual((yield* runJob(ten)).executed, ten)
      }))

    test("runs at once end with the same state, which the next one finds", () =>
      Effect.gen(function* () {
        const before = Effect.yieldNow
        const jobs = [
          runJob(ten, { before, name: "same" }),
          runJob(ten, { before, name: "same" }),
          runJob([...ten, 11], { before }),
          runJob([...ten.slice(0, 5), 60, 61], { before })
        ]
        const fibers = yield* Effect.forEach(jobs, (job) => Effect.forkChild(job))
        const ended = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
        assert.deepStrictEqual(
          ended.map(({ state }) => state),
          [plainFold(ten), plainFold(ten), plainFold([...ten, 11]), plainFold([...ten.slice(0, 5), 60, 61])]
        )
        const { executed, state } = yield* runJob([...ten, 11, 12])
        assert.deepStrictEqual(executed, [12])
        assert.strictEqual(state, plainFold([...ten, 11, 12]))
      }))

    const Elements = Schema.Array(Schema.Literals([1, 2]))
    it.effect.prop(
      "whatever jobs ran before, and wherever they ended, the state is that of a plain left fold",
      {
        runs: Schema.Array(
          Schema.Struct({
            elements: Elements,
            killedAfter: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 })),
            forkPoint: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 }))
          })
        )
      },
      ({ runs }) =>
        Effect.gen(function* () {
          for (const { elements, forkPoint, killedAfter } of runs) {
            const forkPoints = [forkPoint]
            yield* runJob(elements, { killedAfter: Math.min(killedAfter, elements.length), forkPoints })
            const { executed, notes, state } = yield* runJob(elements, { forkPoints })
            assert.strictEqual(state, plainFold(elements))
            assert.isAtMost(executed.length, Math.max(0, elements.length - killedAfter))
            assert.deepStrictEqual(notes, [])
          }
        }).pipe(Effect.provide(layer)),
      { arbitrary: { runs: 25 } }
    )
  })
}
