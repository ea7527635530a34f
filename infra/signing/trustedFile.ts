/** Changing the file `trusted`. Other lines stay as they are: they may be remarks, or somebody's hand. */

import { readFile } from "node:fs/promises"
import { dirname } from "node:path"
import type { KeyId } from "../../lib/storage/Signature.ts"
import { errorCode, withLockFile, writeAtomically } from "../stores/atomicFiles.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { parseTrustedLine, type TrustedKey, trustedLine } from "./trustedKeys.ts"

const linesOf = async (file: string): Promise<ReadonlyArray<string>> => {
  try {
    return (await readFile(file, "utf8")).replace(/\n$/, "").split("\n")
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return []
    throw error
  }
}

const writeLines = async (file: string, lines: ReadonlyArray<string>): Promise<void> => {
  await writeAtomically({
    temporaryFolder: dirname(file),
    target: file,
    bytes: new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")),
    onlyIfAbsent: false,
    mode: 0o600
  })
}

/** The keys of the file and its other lines, in their order. */
const split = async (file: string, keyId: KeyId) => {
  const lines = await linesOf(file)
  const parsed = lines.map((line) => ({ line, key: parseTrustedLine(line) }))
  const isOf = ({ key }: (typeof parsed)[number]): boolean => typeof key === "object" && key.keyId === keyId
  const before = parsed.filter(isOf).map(({ key }) => key as TrustedKey)
  return { before, others: parsed.filter((one) => !isOf(one)).map(({ line }) => line) }
}

/** Those who change the file take turns: each starts from what the one before has written. */
const alone = async <A>(file: string, change: () => Promise<A>): Promise<A> => {
  await makeFolder(dirname(file))
  return withLockFile(`${file}.lock`, change)
}

/** In these scopes and no others from now on; without a name the old one stays. Gives what stood there. */
export const trustKey = (file: string, key: TrustedKey): Promise<ReadonlyArray<TrustedKey>> =>
  alone(file, async () => {
    const { before, others } = await split(file, key.keyId)
    const name = key.name === "" ? (before[0]?.name ?? "") : key.name
    await writeLines(file, [...others, trustedLine({ ...key, name })])
    return before
  })

/** Gives what stood there before. */
export const untrustKey = (file: string, keyId: KeyId): Promise<ReadonlyArray<TrustedKey>> =>
  alone(file, async () => {
    const { before, others } = await split(file, keyId)
    if (before.length > 0) await writeLines(file, others)
    return before
  })
