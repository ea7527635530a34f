import { Schema } from "effect"

/**
 * Why one location did not give the file; becomes a line of `SourceUnavailable`, never leaves this folder.
 */
export class LocationFailed extends Schema.TaggedError<LocationFailed>()("LocationFailed", {
  reason: Schema.String,
  /** Whether asking again a moment later might help. */
  transient: Schema.Boolean
}) {
  override get message() {
    return this.reason
  }
}

export const locationFailed = (reason: string): LocationFailed =>
  new LocationFailed({ reason, transient: false })

/** Node's code of a failed call ("ENOENT"), or what the error says. */
export const causeText = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const nested = cause.cause instanceof Error ? `: ${causeText(cause.cause)}` : ""
  return `${cause.message}${nested}`
}

export const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined
