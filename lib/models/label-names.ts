/** Names of classes as published beside weights: a line each, or as JSON. */
import { Effect, Result, Schema } from "effect"

export class LabelsInvalid extends Schema.TaggedError<LabelsInvalid>()("LabelsInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return (
      `The labels of "${this.file}" cannot be read: ${this.reason}. ` +
      'Give one name a line, or JSON: ["cat", "dog"], or {"0": "cat", "1": "dog"}.'
    )
  }
}

/** A name, or what Keras writes: an identifier and the name. */
const Name = Schema.Union([Schema.NonEmptyString, Schema.Tuple([Schema.String, Schema.NonEmptyString])])
const Names = Schema.Union([Schema.Array(Name), Schema.Record(Schema.String, Name)])
const decodeNames = Schema.decodeUnknownResult(Schema.fromJsonString(Names))

type Parsed = Result.Result<ReadonlyArray<string>, string>

/** Of an object the keys are the outputs, from 0 on without a gap. */
const fromJson = (text: string): Parsed =>
  Result.flatMap(
    Result.mapError(decodeNames(text), () => "it is JSON, but neither a list nor an object of names"),
    (names): Parsed => {
      const listed = Array.isArray(names)
        ? names
        : Object.keys(names).map(
            (_, output) => (names as { readonly [key: string]: typeof Name.Type })[output]
          )
      const gap = listed.indexOf(undefined)
      return gap >= 0
        ? Result.fail(`its ${listed.length} keys should be 0 to ${listed.length - 1}, and ${gap} is missing`)
        : Result.succeed(listed.map((name) => (typeof name === "string" ? name : name![1])))
    }
  )

const fromLines = (text: string): Parsed => {
  const lines = text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.trim())
  const empty = lines.indexOf("")
  return empty >= 0 ? Result.fail(`line ${empty + 1} is empty`) : Result.succeed(lines)
}

/** In the order of the network's outputs; two may have one name, as two cranes do in ImageNet. */
export const parseLabelNames = (
  file: string,
  text: string
): Effect.Effect<ReadonlyArray<string>, LabelsInvalid> => {
  const names = /^\s*[[{]/.test(text) ? fromJson(text) : fromLines(text)
  return Effect.fromResult(Result.mapError(names, (reason) => new LabelsInvalid({ file, reason })))
}
