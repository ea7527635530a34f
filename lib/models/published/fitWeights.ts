/** Tensors of a file become the weights of a network: names, layouts and dtypes of ours. */
import { Effect } from "effect"
import type { Weight, WeightSpec, Weights } from "../../nn/Weights.ts"
import { floatsOf, type NamedTensors, type StoredTensor } from "../StoredTensor.ts"
import { WeightsMismatch } from "../weights.ts"
import type { LoadReport } from "./LoadReport.ts"
import { fileLayout, reshaped } from "./layouts.ts"
import { headNames, normsAfter, type Spelling, spellings } from "./spellings.ts"

export interface FitOptions {
  /**
   * "keep", where nothing is said, takes the file's classifier, which must be one of as many classes.
   * "leave-out" does not: for other classes.
   */
  readonly head?: "keep" | "leave-out"
}

export interface Fitted {
  /** Of all specs but those that `report.fresh` names. */
  readonly weights: Weights
  readonly report: LoadReport
}

/** A tensor under its own name and under ours. */
interface Candidate {
  readonly from: string
  readonly tensor: StoredTensor
}

/**
 * Takes every weight of `specs` from the tensors: spelled as torchvision, timm or GluonCV do, kernels turned
 * from `[out, in, H, W]` to `[H, W, in, out]`, other dtypes made 32-bit floats. A bias that our network
 * leaves to the normalisation behind it is taken off its running mean, which computes the same. Fails with
 * `WeightsMismatch` where a weight is missing or of another shape, or a tensor is left that no rule covers;
 * what was done with which tensor stands in the report.
 */
export const fitWeights = (
  tensors: NamedTensors,
  specs: ReadonlyArray<WeightSpec>,
  { head = "keep" }: FitOptions = {}
): Effect.Effect<Fitted, WeightsMismatch> =>
  Effect.gen(function* () {
    const { candidates, spelling } = spelled(tensors, specs)
    const heads = headsOf(specs)
    const isHead = (name: string) => heads.some((of) => name.startsWith(`${of}.`))
    const wanted = head === "keep" ? specs : specs.filter(({ name }) => !isHead(name))
    const left = leftOut(candidates, wanted, isHead)
    const biases = absorbed(candidates, wanted)
    const covered = new Set([...wanted.map(({ name }) => name), ...left.keys(), ...biases.keys()])
    const differences = {
      missing: wanted.filter(({ name }) => !candidates.has(name)).map(({ name }) => name),
      unexpected: [...candidates].filter(([name]) => !covered.has(name)).map(([, { from }]) => from),
      misshapen: misshapen(candidates, wanted, biases)
    }
    if (Object.values(differences).some((names) => names.length > 0)) {
      return yield* new WeightsMismatch(differences)
    }
    const taken = wanted.map((spec) => ({ spec, ...candidates.get(spec.name)! }))
    const weights = new Map(taken.map(({ spec, tensor }) => [spec.name, weightOf(spec, tensor)]))
    for (const [bias, mean] of biases) subtract(weights.get(mean)!, candidates.get(bias)!.tensor)
    const wantedNames = new Set(wanted.map(({ name }) => name))
    return {
      weights: Object.fromEntries(weights),
      report: {
        spelling,
        ...takenReport(taken),
        absorbed: Array.from(biases, ([bias, into]) => ({ bias: candidates.get(bias)!.from, into })),
        leftOut: Array.from(left, ([name, reason]) => ({ name: candidates.get(name)!.from, reason })),
        fresh: specs.map(({ name }) => name).filter((name) => !wantedNames.has(name))
      }
    }
  }).pipe(Effect.withSpan("fitWeights"))

interface Spelled {
  readonly spelling: string
  /** By our names; a tensor whose name no rule knows keeps its own. */
  readonly candidates: ReadonlyMap<string, Candidate>
}

/** By the spelling in which most of the network's names are found. */
const spelled = (tensors: NamedTensors, specs: ReadonlyArray<WeightSpec>): Spelled => {
  const tried = spellings.map((spelling) => {
    const candidates = renamed(tensors, spelling, headsOf(specs).at(-1))
    const known = specs.filter(({ name }) => candidates.has(name)).length
    return { spelling: spelling.library, candidates, known }
  })
  return tried.reduce((best, next) => (next.known > best.known ? next : best))
}

const renamed = (
  tensors: NamedTensors,
  { ours }: Spelling,
  head: string | undefined
): ReadonlyMap<string, Candidate> => {
  const candidates = new Map<string, Candidate>()
  for (const [from, tensor] of tensors) {
    const name = withOurHead(ours(from), head)
    // Of two for one weight, none is to win: the second is one that nobody wants.
    candidates.set(candidates.has(name) ? `${from} (a second ${name})` : name, { from, tensor })
  }
  return candidates
}

const withOurHead = (name: string, head: string | undefined): string => {
  const [, layer, rest] = /^(.*)\.(weight|bias)$/.exec(name) ?? []
  return head !== undefined && layer !== undefined && headNames.includes(layer) ? `${head}.${rest}` : name
}

/** Linear layers end in classes; an auxiliary classifier comes before the main one. */
const headsOf = (specs: ReadonlyArray<WeightSpec>): ReadonlyArray<string> =>
  specs.filter(({ role, shape }) => role === "kernel" && shape.length === 2).map(({ name }) => layerOf(name))

const layerOf = (name: string): string => name.replace(/\.[^.]*$/, "")

/** Why a tensor has no place, for those where that is no mistake. */
const leftOut = (
  candidates: ReadonlyMap<string, Candidate>,
  wanted: ReadonlyArray<WeightSpec>,
  isHead: (name: string) => boolean
): ReadonlyMap<string, string> => {
  const names = new Set(wanted.map(({ name }) => name))
  const hasAuxiliary = wanted.some(({ name }) => name.startsWith("AuxLogits."))
  const reasonFor = (name: string): string | undefined => {
    if (names.has(name)) return undefined
    if (name.endsWith(".num_batches_tracked")) return "a counter that only training by PyTorch looks at"
    if (isHead(name)) return "the classifier, which was not asked for"
    return name.startsWith("AuxLogits.") && !hasAuxiliary
      ? "a second classifier, which only helps training"
      : undefined
  }
  return new Map(
    [...candidates.keys()].flatMap((name) => {
      const reason = reasonFor(name)
      return reason === undefined ? [] : [[name, reason] as const]
    })
  )
}

/** Biases of convolutions that have none with us, each with the running mean behind it. */
const absorbed = (
  candidates: ReadonlyMap<string, Candidate>,
  wanted: ReadonlyArray<WeightSpec>
): ReadonlyMap<string, string> => {
  const names = new Set(wanted.map(({ name }) => name))
  return new Map(
    [...candidates.keys()].flatMap((name) => {
      const layer = layerOf(name)
      if (names.has(name) || name !== `${layer}.bias` || !names.has(`${layer}.weight`)) return []
      const mean = normsAfter(layer)
        .map((norm) => `${norm}.running_mean`)
        .find((of) => names.has(of) && !of.startsWith(`${layer}.`))
      return mean === undefined ? [] : [[name, mean] as const]
    })
  )
}

const misshapen = (
  candidates: ReadonlyMap<string, Candidate>,
  wanted: ReadonlyArray<WeightSpec>,
  biases: ReadonlyMap<string, string>
): ReadonlyArray<string> => [
  ...wanted.flatMap(({ name, shape }) => differs(name, candidates.get(name), fileLayout(shape).shape)),
  ...Array.from(biases, ([bias, mean]) =>
    differs(bias, candidates.get(bias), wanted.find(({ name }) => name === mean)!.shape)
  ).flat()
]

const differs = (
  name: string,
  found: Candidate | undefined,
  shape: ReadonlyArray<number>
): ReadonlyArray<string> =>
  found === undefined || reshaped(found.tensor, shape) !== undefined
    ? []
    : [`${name} [${found.tensor.shape}], not [${shape}]`]

const weightOf = ({ shape }: WeightSpec, tensor: StoredTensor): Weight => {
  const layout = fileLayout(shape)
  return { shape, values: floatsOf(reshaped(tensor, layout.shape)!, layout.axes) }
}

/** A convolution's bias b and the mean m behind it: (x + b) - m = x - (m - b). */
const subtract = (mean: Weight, bias: StoredTensor): void => {
  const values = floatsOf(bias)
  for (let channel = 0; channel < values.length; channel++) mean.values[channel]! -= values[channel]!
}

type Taken = Candidate & { readonly spec: WeightSpec }

const takenReport = (taken: ReadonlyArray<Taken>) => ({
  loaded: taken.map(({ spec }) => spec.name),
  renamed: taken
    .filter(({ from, spec }) => from !== spec.name)
    .map(({ from, spec }) => ({ from, to: spec.name })),
  reshaped: taken
    .filter(({ spec, tensor }) => tensor.shape.length !== spec.shape.length)
    .map(({ spec, tensor }) => ({ name: spec.name, from: tensor.shape, to: spec.shape })),
  converted: taken
    .filter(({ tensor }) => tensor.dtype !== "F32")
    .map(({ spec, tensor }) => ({ name: spec.name, dtype: tensor.dtype }))
})
