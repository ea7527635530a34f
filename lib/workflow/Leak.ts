/**
 * What a stage's body reads although its job's key does not know of it. Found in strict mode, by an executor
 * that watches; a result that depends on such a thing must not be kept under the key.
 */
import { Schema } from "effect"

export const LeakKind = Schema.Literals([
  "environment",
  "file",
  "directory",
  "temporary folder",
  "working directory",
  "clock",
  "time zone",
  "locale",
  "randomness",
  "network",
  "host",
  "threads",
  "program",
  "package"
])
export type LeakKind = typeof LeakKind.Type

export const Leak = Schema.Struct({
  kind: LeakKind,
  /** The variable, file, function, address or package. */
  what: Schema.String,
  /** Where in the sources it is read, `path:line`; null where that is not known. */
  where: Schema.NullOr(Schema.String)
})
export type Leak = typeof Leak.Type

const leakLine = ({ kind, what, where }: Leak): string =>
  `  ${kind}: ${what}${where === null ? "" : ` (${where})`}`

/** The job was done, but its result depends on more than its key says, so it is not published. */
export class UndeclaredReads extends Schema.TaggedError<UndeclaredReads>()("UndeclaredReads", {
  jobName: Schema.String,
  stage: Schema.String,
  leaks: Schema.Array(Leak)
}) {
  override get message() {
    return [
      `Its result depends on what its key does not know, so it is not kept:`,
      ...this.leaks.map(leakLine),
      "Make each of them a param or an input of the stage, or do without; then run again."
    ].join("\n")
  }
}
