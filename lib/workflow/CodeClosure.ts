/**
 * The code that a job's result depends on: the declarations and packages reachable from the stage's body and
 * from the implementations of the services that change results. Implemented in `infra/code`.
 */
import { Context, type Effect, Schema } from "effect"
import { Digest } from "../storage/Digest.ts"

export const CodeIdentity = Schema.Struct({
  /** Digest over everything below. */
  digest: Digest,
  /**
   * Digest of each declaration by `path#name`, the path from its package's root; that of a service stands
   * behind the service's name: `ImageCodec:path#name`.
   */
  declarations: Schema.Record(Schema.String, Digest),
  /** Locked version and integrity of each package, by name. */
  packages: Schema.Record(Schema.String, Schema.String)
})
export type CodeIdentity = typeof CodeIdentity.Type

/** Today's code of a job, and where its declarations stand. */
export interface JobCode {
  readonly identity: CodeIdentity
  /** Line of each declaration in its file, from 1: not part of the identity. */
  readonly lines: { readonly [declaration: string]: number }
}

export interface DeclarationId {
  /** The service whose implementation it belongs to, if it is not the stage's own code. */
  readonly service: string | undefined
  readonly file: string
  readonly name: string
}

/** `ImageCodec:infra/images/SharpImageCodec.ts#layer` and `lib/half.ts#half` taken apart. */
export const declarationOf = (id: string): DeclarationId => {
  const [, service, file, name] = /^(?:(\w+):)?(.*)#([^#]*)$/.exec(id)!
  return { service, file: file!, name: name! }
}

export class CodeUnreadable extends Schema.TaggedError<CodeUnreadable>()("CodeUnreadable", {
  stage: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The code of stage "${this.stage}" cannot be hashed: ${this.reason}`
  }
}

/** What of a job decides which code it depends on. */
export interface CodeRequest {
  readonly stageName: string
  readonly resultServices: ReadonlyArray<string>
  /** The names that the job may give to an entry of a registry; see `namesIn`. */
  readonly names: () => ReadonlySet<string>
}

export class CodeClosure extends Context.Service<
  CodeClosure,
  {
    readonly of: (request: CodeRequest) => Effect.Effect<JobCode, CodeUnreadable>
    /** Fails for code that no job could use, whatever it names. */
    readonly check: (request: Omit<CodeRequest, "names">) => Effect.Effect<void, CodeUnreadable>
  }
>()("lib/workflow/CodeClosure") {}

/** All strings in a value, as what a param or an artifact may call a backbone by. */
export const namesIn = (value: Schema.Json): ReadonlySet<string> => {
  const found = new Set<string>()
  const visit = (node: Schema.Json): void => {
    if (typeof node === "string") found.add(node)
    else if (typeof node === "object" && node !== null) Object.values(node).forEach(visit)
  }
  visit(value)
  return found
}

/** Whether this machine, with its settings, can honour what the params of a job ask for. */
export class Capabilities extends Context.Service<
  Capabilities,
  {
    /** `undefined` where it can, otherwise why it cannot and what to do. */
    readonly refusal: (capability: string) => Effect.Effect<string | undefined>
  }
>()("lib/workflow/Capabilities") {}
