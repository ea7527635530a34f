/** `format.json` in a bucket, and whether the server that keeps it decides conditional writes. */
import type { StoreUnusable } from "../../lib/storage/ObjectStore.ts"
import { type DownloadSizes, download, type S3Object } from "./s3Download.ts"
import { isAbsence, isLacking, type S3Failure } from "./s3Errors.ts"
import { ConditionLost, type UploadSizes, upload } from "./s3Upload.ts"
import {
  forbidsConditions,
  formatBytesMax,
  formatFile,
  formatText,
  unconditionalFormatText
} from "./storeFormat.ts"

export interface FormatObject {
  readonly object: S3Object
  readonly sizes: UploadSizes & DownloadSizes
  readonly signal: AbortSignal
}

const absent = { _tag: "Absent" } as const

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Its text, written first where the store is new; that is `refusal` where none is to be made. */
export const formatOf = async (
  { object, signal, sizes }: FormatObject,
  refusal?: StoreUnusable
): Promise<string> => {
  const limit = { key: formatFile, sizeBytesMax: formatBytesMax }
  const read = async () => new TextDecoder().decode(await download(object, sizes, { signal, limit }))
  try {
    return await read()
  } catch (error) {
    if (!isAbsence(error as S3Failure, "GET")) throw error
    if (refusal !== undefined) throw refusal
  }
  try {
    await upload(object, bytesOf(formatText), sizes, { condition: absent, signal })
  } catch (error) {
    if (isLacking(error as S3Failure)) {
      await upload(object, bytesOf(formatText), sizes, { condition: undefined, signal })
    } else if (!(error instanceof ConditionLost)) throw error
  }
  return read()
}

/**
 * Whether conditions are honoured: asked with what stands there already. Servers that do so, but break when
 * writers race, are found by `doctor`, and the record says so. Amazon's are known.
 */
export const decidesConditions = async (
  { object, signal, sizes }: FormatObject,
  text: string,
  custom: boolean
): Promise<boolean> => {
  if (forbidsConditions(text)) return false
  if (!custom) return true
  try {
    await upload(object, bytesOf(text), sizes, { condition: absent, signal })
    return false
  } catch (error) {
    // Whoever may not write there reads, and needs no conditions.
    return !isLacking(error as S3Failure)
  }
}

/** Lets all who open the store know what a race has shown; writes only where the record says otherwise. */
export const recordConditions = async (format: FormatObject, isConditional: boolean): Promise<void> => {
  const { object, signal, sizes } = format
  const text = isConditional ? formatText : unconditionalFormatText
  if (forbidsConditions(await formatOf(format)) === !isConditional) return
  await upload(object, bytesOf(text), sizes, { condition: undefined, signal })
}
