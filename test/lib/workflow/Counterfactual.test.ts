import { assert, describe, it } from "@effect/vitest"
import type { Schema } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import { comparisons, counterfactuals, turnedBackText } from "../../../lib/workflow/Counterfactual.ts"
import type { JobDescription } from "../../../lib/workflow/Explain.ts"
import { manifest } from "../../infra/reporting/fixtures.ts"

interface Differing {
  readonly params: Schema.JsonObject
  readonly input?: string
  readonly packages?: { readonly [name: string]: string }
}

const inputOf = ({ input = "a" }: Differing) => digestOf(input)
const codeOf = ({ packages = {} }: Differing) => ({ ...manifest("a", "b", "c", 0).code, packages })

const madeFrom = (differing: Differing) => ({
  ...manifest("student", "distill", "classifier", 0),
  params: differing.params,
  code: codeOf(differing),
  inputs: { data: { _tag: "One" as const, artifact: { digest: inputOf(differing), jobKey: digestOf("k") } } }
})

const job = (differing: Differing): JobDescription => ({
  stage: "distill",
  params: differing.params,
  code: codeOf(differing),
  inputs: { data: inputOf(differing) },
  externals: {}
})

const wouldHit = (now: Differing, ...before: ReadonlyArray<Differing>) =>
  counterfactuals(comparisons(job(now), before.map(madeFrom))).map(turnedBackText)

describe("what would make a hit", () => {
  it("names the params to turn back, the fewest first, and nothing that asks for more than another", () => {
    assert.deepStrictEqual(
      wouldHit(
        { params: { epochs: 3, rate: 1, seed: 0 } },
        { params: { epochs: 10, rate: 2, seed: 0 } },
        { params: { epochs: 5, rate: 2, seed: 0 } },
        { params: { epochs: 10, rate: 1, seed: 0 } },
        { params: { epochs: 3, rate: 1, seed: 7 } }
      ),
      ["epochs = 10", "seed = 7"]
    )
  })

  it("several at once, packages, and params that were not there", () => {
    assert.deepStrictEqual(
      wouldHit(
        { params: { epochs: 3, mixup: 0.2 }, packages: { effect: "2.0.0 sha512-b" } },
        { params: { epochs: 10 }, packages: { effect: "1.0.0 sha512-a" } }
      ),
      ["epochs = 10, no mixup and package effect 1.0.0"]
    )
  })

  it("nothing where an input is another: that is the matter of the job that made it", () => {
    assert.deepStrictEqual(wouldHit({ params: { epochs: 3 } }, { params: { epochs: 10 }, input: "b" }), [])
  })

  it("nothing where nothing differs, or nothing was made yet", () => {
    assert.deepStrictEqual(wouldHit({ params: {} }, { params: {} }), [])
    assert.deepStrictEqual(wouldHit({ params: {} }), [])
  })

  it("many changes are counted, not listed", () => {
    assert.deepStrictEqual(
      wouldHit({ params: { a: 1, b: 1, c: 1, d: 1, e: 1 } }, { params: { a: 2, b: 2, c: 2, d: 2, e: 2 } }),
      ["a = 2, b = 2, c = 2 and 2 more turned back"]
    )
  })
})
