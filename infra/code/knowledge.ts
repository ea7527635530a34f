/**
 * What is known of code, kept on disk beside the digests of its sources. While those are as they were, which
 * their size, times and inode tell, nothing is read, parsed or bundled again.
 */
import { readFileSync, statSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Option, Schema } from "effect"
import { Digest, hexOf } from "../../lib/storage/Digest.ts"
import { canonicalJson } from "../../lib/workflow/Fingerprint.ts"
import { StatIndex } from "../files/StatIndex.ts"
import { digestOf } from "../hashing.ts"
import { writeAtomically } from "../stores/atomicFiles.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import type { Analyst, CodeUnit, Learned } from "./learning.ts"

/** Digest of each file that something was learned from, by absolute path; `null`: there was none. */
const Files = Schema.Record(Schema.String, Schema.NullOr(Digest))
type Files = typeof Files.Type

/** Code as it is for jobs that name certain entries of its registries. */
const Known = Schema.Struct({
  /** Keys of registries that it matters whether a job names them, and those that these jobs do. */
  asked: Schema.Array(Schema.String),
  named: Schema.Array(Schema.String),
  files: Files,
  /** The sources among them, by path from the root. */
  sources: Schema.Array(Schema.String),
  declarations: Schema.Record(Schema.String, Digest),
  lines: Schema.Record(Schema.String, Schema.Number),
  packages: Schema.Record(Schema.String, Schema.String),
  /** The file that is executed. */
  bundle: Schema.NullOr(Schema.String)
})
export type Known = typeof Known.Type

const Record = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  /** What was read when the code was found sound, whatever a job names. */
  checked: Schema.NullOr(Files),
  known: Schema.Array(Known)
})
const decodeRecord = Schema.decodeUnknownOption(Schema.fromJsonString(Record))

/** What is true of a unit's record. */
interface Truth {
  checked: Files | null
  readonly known: Array<Known>
}

export interface KnowledgeOptions {
  readonly codeFolder: string
  /** Whether a module stands outside of every closure. */
  readonly isEngine: (root: string, path: string) => boolean
}

/** A job's names, gathered when a registry asks for them. */
export type Names = () => ReadonlySet<string>

/** Of two builds, each knows what it learned itself. */
const learner = fileURLToPath(import.meta.url)

const readIfPresent = (file: string): Buffer | undefined => {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}

export class Knowledge {
  readonly #options: KnowledgeOptions
  readonly #index: StatIndex
  readonly #indexFile: string
  readonly #digests = new Map<string, Digest | null>()
  readonly #units = new Map<string, Promise<Truth>>()
  readonly #turns = new Map<string, Promise<unknown>>()
  #analyst: Promise<Analyst> | undefined

  constructor(options: KnowledgeOptions) {
    this.#options = options
    this.#indexFile = join(options.codeFolder, "sources.index")
    this.#index = StatIndex.load(this.#indexFile)
  }

  /** Rejects with an error whose message says what is wrong with the code, with file and line. */
  of(unit: CodeUnit, names: Names): Promise<Known> {
    return this.#inTurn(unit, async (truth) => {
      const fits = ({ asked, named }: Known) => asked.every((key) => names().has(key) === named.includes(key))
      const found = truth.known.find(fits)
      if (found !== undefined) return found
      const made = await this.#learn(unit, names)
      truth.known.push(made)
      await this.#save(unit, truth)
      return made
    })
  }

  /** Rejects as `of` does, for what can be told without a job's names. */
  check(unit: CodeUnit): Promise<void> {
    return this.#inTurn(unit, async (truth) => {
      if (truth.known.length > 0 || truth.checked !== null) return
      const { learned } = await (await this.#getAnalyst()).learn(unit, () => false)
      truth.checked = this.#filesOf(unit, learned)
      await this.#save(unit, truth)
    })
  }

  #save(unit: CodeUnit, truth: Truth): Promise<void> {
    this.#saveIndex()
    return this.#write(this.#recordFile(unit), JSON.stringify({ schemaVersion: 2, ...truth }))
  }

  #filesOf({ root }: CodeUnit, { packageFiles, sources }: Learned): Record<string, Digest | null> {
    const files = [learner, ...packageFiles].map((file) => [file, this.digestOfFile(file)] as const)
    const own = Object.entries(sources).map(([path, digest]) => [join(root, path), digest] as const)
    return Object.fromEntries([...files, ...own])
  }

  /** `null` where there is no such file; as it was when it was first asked for. */
  digestOfFile(file: string): Digest | null {
    const known = this.#digests.get(file)
    if (known !== undefined) return known
    const takenAt = Date.now()
    const stats = statSync(file, { throwIfNoEntry: false })
    const found = stats === undefined ? undefined : this.#index.find(file, stats)
    const bytes = stats === undefined || found !== undefined ? undefined : readIfPresent(file)
    const digest = found ?? (bytes === undefined ? null : digestOf(bytes))
    if (bytes !== undefined) this.#index.record(file, stats!, digest!, takenAt)
    this.#digests.set(file, digest)
    return digest
  }

  /** One thing after the other for each unit: what one job's code is learned for serves the next. */
  #inTurn<A>(unit: CodeUnit, use: (truth: Truth) => Promise<A>): Promise<A> {
    const file = this.#recordFile(unit)
    const truth = this.#units.get(file) ?? this.#load(file)
    this.#units.set(file, truth)
    const turn = Promise.allSettled([this.#turns.get(file)]).then(() => truth.then(use))
    this.#turns.set(file, turn)
    return turn
  }

  #recordFile(unit: CodeUnit): string {
    const name = hexOf(digestOf(canonicalJson([learner, unit]))).slice(0, 32)
    return join(this.#options.codeFolder, "known", `${name}.json`)
  }

  async #load(file: string): Promise<Truth> {
    const record = decodeRecord(await readFile(file, "utf8").catch(() => ""))
    if (Option.isNone(record)) return { checked: null, known: [] }
    const { checked, known } = record.value
    const truth = {
      checked: checked !== null && this.#isTrue(checked) ? checked : null,
      known: known.filter(({ files }) => this.#isTrue(files))
    }
    this.#saveIndex()
    return truth
  }

  #isTrue(files: Files): boolean {
    return Object.entries(files).every(([file, digest]) => this.digestOfFile(file) === digest)
  }

  async #getAnalyst(): Promise<Analyst> {
    const { isEngine } = this.#options
    this.#analyst ??= import("./learning.ts").then(({ Analyst }) => new Analyst(isEngine))
    return this.#analyst
  }

  async #learn(unit: CodeUnit, names: Names): Promise<Known> {
    const { bundle, learned } = await (await this.#getAnalyst()).learn(unit, (key) => names().has(key))
    const { asked, declarations, lines, packages, sources } = learned
    const files = this.#filesOf(unit, learned)
    const made = await bundle(this.#options.codeFolder)
    let bundleFile: string | null = null
    if (made !== undefined) {
      const name = hexOf(digestOf(made.text))
      bundleFile = join(this.#options.codeFolder, `${name}.mjs`)
      const text = `${made.text}//# sourceMappingURL=${name}.mjs.map\n`
      await this.#write(`${bundleFile}.map`, made.map)
      await this.#write(bundleFile, text)
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

  async #write(target: string, text: string): Promise<void> {
    const temporaryFolder = join(this.#options.codeFolder, "tmp")
    await makeFolder(temporaryFolder)
    const bytes = new TextEncoder().encode(text)
    await writeAtomically({ temporaryFolder, target, bytes, onlyIfAbsent: false })
  }

  /** A folder that cannot be written to costs speed, not the plan. */
  #saveIndex(): void {
    try {
      this.#index.save(this.#indexFile)
    } catch {
      // Its directory is read-only, or the disk is full.
    }
  }
}
