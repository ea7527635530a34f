/** A file of an export. */
export interface ExportedFile {
  /** Relative to the export's folder, with slashes. */
  readonly path: string
  readonly bytes: Uint8Array
}

/** Names of the signature that every format has. */
export const signatureName = "serving_default"

export const jsonBytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)
