import { Schema } from "effect"

/** A file whose bytes are not what its format, or its own header, says. Nothing of it is used. */
export class FormatInvalid extends Schema.TaggedError<FormatInvalid>()("FormatInvalid", {
  file: Schema.String,
  format: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return (
      `"${this.file}" is not valid ${this.format}: ${this.reason}. ` +
      "Replace it with an intact copy; nothing of it was used."
    )
  }
}
