/**
 * What is known of code, kept on disk beside the digests of its sources. While those are as they were,
 * nothing is parsed or bundled again.
 */
import { join } from "node:path"
import { Schema } from "effect"
import { type Digest, Digest as DigestSchema, hexOf } from "../../lib/storage/Digest.ts"
import { digestOf } from "../hashing.ts"
import type { Analyst, CodeUnit, Learned } from "./learning.ts"
import { learner, type Records, recordsIn, writeFileIn } from "./records.ts"
import { Files, type SourceDigests } from "./SourceDigests.ts"

/** Code as it is for jobs that name certain entries of its registries. */
const Known = Schema.Struct({
  /** Keys of registries that it matters whether a job names them, and those that these jobs do. */
  asked: Schema.Array(Schema.String),
  named: Schema.Array(Schema.String),
  files: Files,
  /** The sources among them, by path from the root. */
  sources: Schema.Array(Schema.String),
  declarations: Schema.Record(Schema.String, DigestSchema),
  lines: Schema.Record(Schema.String, Schema.Number),
  packages: Schema.Record(Schema.String, Schema.String),
  /** The file that is executed. */
  bundle: Schema.NullOr(Schema.String)
})
export type Known = typeof Known.Type

const Truth = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  /** What was read when the code was found sound, whatever a job names. */
  checked: Schema.NullOr(Files),
  known: Schema.Array(Known)
})
type Truth = typeof Truth.Type

const nothing: Truth = { schemaVersion: 2, checked: null, known: [] }

export interface KnowledgeOptions {
  readonly codeFolder: string
  readonly sources: SourceDigests
  /** Whether a module stands outside of every closure. */
  readonly isEngine: (root: string, path: string) => boolean
}

/** A job's names, gathered when a registry asks for them. */
export type Names = () => ReadonlySet<string>

const fitting =
  (names: Names) =>
  ({ asked, named }: Known): boolean =>
    asked.every((key) => names().has(key) === named.includes(key))

export class Knowledge {
  readonly #options: KnowledgeOptions
  readonly #records: Records<Truth>
  /** What is true of each unit, when those before have looked at it. */
  readonly #units = new Map<string, Promise<Truth>>()
  /** The same where nobody looks any more. */
  readonly #settled = new Map<CodeUnit, Truth>()
  #analyst: Promise<Analyst> | undefined

  constructor(options: KnowledgeOptions) {
    this.#options = options
    this.#records = recordsIn(options.codeFolder, Truth)
  }

  /** Rejects with an error whose message says what is wrong with the code, with file and line. */
  async of(unit: CodeUnit, names: Names): Promise<Known> {
    const ready = this.ready(unit, names)
    if (ready !== undefined) return ready
    const fits = fitting(names)
    const truth = await this.#inTurn(unit, async (truth) =>
      truth.known.some(fits) ? truth : { ...truth, known: [...truth.known, await this.#learn(unit, names)] }
    )
    this.#settled.set(unit, truth)
    return truth.known.find(fits)!
  }

  /** What `of` has found for this very unit before: jobs are many, stages few. */
  ready(unit: CodeUnit, names: Names): Known | undefined {
    return this.#settled.get(unit)?.known.find(fitting(names))
  }

  /** Rejects as `of` does, for what can be told without a job's names. */
  async check(unit: CodeUnit): Promise<void> {
    await this.#inTurn(unit, async (truth) => {
      if (truth.known.length > 0 || truth.checked !== null) return truth
      const { learned } = await (await this.#getAnalyst()).learn(unit, () => false)
      return { ...truth, checked: this.#filesOf(unit, learned) }
    })
  }

  /** One thing after the other for each unit: what one job's code is learned for serves the next. */
  #inTurn(unit: CodeUnit, change: (truth: Truth) => Promise<Truth>): Promise<Truth> {
    const key = JSON.stringify(unit)
    const before = this.#units.get(key) ?? this.#load(unit)
    const after = before.then(async (truth) => {
      const changed = await change(truth)
      if (changed !== truth) {
        this.#options.sources.save()
        await this.#records.write(unit, changed)
      }
      return changed
    })
    // Who comes next goes on from what was true before a failure.
    this.#units.set(
      key,
      after.catch(() => before)
    )
    return after
  }

  async #load(unit: CodeUnit): Promise<Truth> {
    const { sources } = this.#options
    const { checked, known } = (await this.#records.read(unit)) ?? nothing
    const truth: Truth = {
      schemaVersion: 2,
      checked: checked !== null && sources.areSame(checked) ? checked : null,
      known: known.filter(({ files }) => sources.areSame(files))
    }
    sources.save()
    return truth
  }

  async #getAnalyst(): Promise<Analyst> {
    const { isEngine } = this.#options
    this.#analyst ??= import("./learning.ts").then(({ Analyst }) => new Analyst(isEngine))
    return this.#analyst
  }

  #filesOf({ root }: CodeUnit, { packageFiles, sources, whole }: Learned): Record<string, Digest | null> {
    const own = Object.entries({ ...sources, ...whole }).map(
      ([path, digest]) => [join(root, path), digest] as const
    )
    return { ...this.#options.sources.all([learner, ...packageFiles]), ...Object.fromEntries(own) }
  }

  async #learn(unit: CodeUnit, names: Names): Promise<Known> {
    const { bundle, learned } = await (await this.#getAnalyst()).learn(unit, (key) => names().has(key))
    const { asked, declarations, lines, packages, sources } = learned
    const { codeFolder } = this.#options
    const files = this.#filesOf(unit, learned)
    const made = await bundle(codeFolder)
    let bundleFile: string | null = null
    if (made !== undefined) {
      const name = hexOf(digestOf(made.text))
      bundleFile = join(codeFolder, `${name}.mjs`)
      const text = `${made.text}//# sourceMappingURL=${name}.mjs.map\n`
      await writeFileIn(codeFolder, `${bundleFile}.map`, made.map)
      await writeFileIn(codeFolder, bundleFile, text)
      files[bundleFile] = digestOf(text)
      for (const [path, digest] of Object.entries(made.engine)) files[join(unit.root, path)] = digest
    }
    return {
      asked,
      named: asked.filter((key) => names().has(key)),
      files,
      sources: Object.keys(sources),
      declarations,
      lines,
      packages,
      bundle: bundleFile
    }
  }
}
