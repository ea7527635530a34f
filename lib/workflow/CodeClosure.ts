/**
 * The code that a job's result depends on: every module and package reachable from the stage's body and from
 * the implementations of the services that change results. Implemented in `infra/code`.
 */
import { Context, type Effect, Schema } from "effect"
import { Digest } from "../storage/Digest.ts"

export const CodeIdentity = Schema.Struct({
  /** Digest over everything below. */
  digest: Digest,
  /** Normalised digest of each module, by its path from the package's root. */
  modules: Schema.Record(Schema.String, Digest),
  /** Locked version and integrity of each package, by name. */
  packages: Schema.Record(Schema.String, Schema.String)
})
export type CodeIdentity = typeof CodeIdentity.Type

export class CodeUnreadable extends Schema.TaggedError<CodeUnreadable>()("CodeUnreadable", {
  stage: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The code of stage "${this.stage}" cannot be hashed: ${this.reason}`
  }
}

export class CodeClosure extends Context.Service<
  CodeClosure,
  {
    readonly of: (
      stageName: string,
      resultServices: ReadonlyArray<string>
    ) => Effect.Effect<CodeIdentity, CodeUnreadable>
  }
>()("lib/workflow/CodeClosure") {}

/** Whether this machine, with its settings, can honour what the params of a job ask for. */
export class Capabilities extends Context.Service<
  Capabilities,
  {
    /** `undefined` where it can, otherwise why it cannot and what to do. */
    readonly refusal: (capability: string) => Effect.Effect<string | undefined>
  }
>()("lib/workflow/Capabilities") {}
