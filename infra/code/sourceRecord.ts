/** What is kept of a source that was built: a digest of its bytes, and one of what they say. */
import { readFile } from "node:fs/promises"
import { extname } from "node:path"
import { sha256 } from "../files/hashFile.ts"
import { withEsbuild } from "./withEsbuild.ts"

export interface SourceRecord {
  /** Digest of the bytes. */
  readonly digest: string
  /** Digest of the code without comments, types and formatting; the same as `digest` for other files. */
  readonly code: string
}

export const sourceRecord = async (file: string): Promise<SourceRecord> => {
  const source = await readFile(file)
  const digest = `sha256:${sha256(source)}`
  if (extname(file) !== ".ts") return { digest, code: digest }
  const { code } = await withEsbuild(({ transform }) =>
    transform(source, {
      loader: "ts",
      minifyWhitespace: true,
      legalComments: "none",
      charset: "utf8",
      tsconfigRaw: "{}"
    })
  )
  return { digest, code: `sha256:${sha256(Buffer.from(code))}` }
}
