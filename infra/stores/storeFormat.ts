/** `format.json`: which version of the layout a store is of. The same record in a folder and in a bucket. */
import { Schema } from "effect"

const formatVersion = 1

const Format = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal("distillery-store"),
    version: Schema.Int,
    /** `false`: `doctor` has found writers at once that all believed they had won. */
    conditionalWrites: Schema.optionalKey(Schema.Boolean)
  })
)

export const formatFile = "format.json"
/** What is larger is not read. */
export const formatBytesMax = 65_536

const textOf = (more: { readonly conditionalWrites?: false }): string =>
  `${JSON.stringify({ format: "distillery-store", version: formatVersion, ...more })}\n`

/** What is written into a new store. */
export const formatText = textOf({})

/** Of a store on a server that was found not to decide conditional writes. */
export const unconditionalFormatText = textOf({ conditionalWrites: false })

/** Whether the record speaks against conditional writes. */
export const forbidsConditions = (text: string): boolean => {
  const format = Schema.decodeUnknownOption(Format)(text)
  return format._tag === "Some" && format.value.conditionalWrites === false
}

/** Why a store with this record cannot be used. `kind` is what DISTILLERY_STORE might name instead. */
export const formatProblem = (text: string, kind: "folder" | "prefix"): string | undefined => {
  const format = Schema.decodeUnknownOption(Format)(text)
  if (format._tag === "None") {
    return (
      `its ${formatFile} is not what this program writes (${JSON.stringify(text.slice(0, 80))}). ` +
      `If this is a store, put ${formatText.trim()} there; if not, let DISTILLERY_STORE be another ${kind}.`
    )
  }
  if (format.value.version <= formatVersion) return undefined
  return (
    `its format is version ${format.value.version}, this program knows version ${formatVersion}: ` +
    `update distillery, or point DISTILLERY_STORE to another ${kind}.`
  )
}
