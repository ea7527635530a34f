/**
 * Transfers to and from S3 servers on this machine, beside aws, s5cmd, rclone and dvc:
 *
 *     npm run bench -- storage [--json] [--part large|small|images|plan]
 *       [--server versitygw|minio] [--repeats 5]
 *
 * Without `--server` on versitygw; MinIO has to be in the cache already (`test/support/minio.ts`).
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { makeS3Process, minioProgram, versitygwProgram } from "../support/s3Process.ts"
import { installVersitygw } from "../support/versitygwBinary.ts"
import type { Row } from "./Row.ts"
import { quietRows } from "./runtime/machine.ts"
import { planRows } from "./storage/requests.ts"
import { imageRows, largeRows, type Place, smallRows } from "./storage/transfers.ts"

const programs = { versitygw: versitygwProgram, minio: minioProgram } as const
const parts: { readonly [name: string]: (place: Place) => ReadonlyArray<Row> | Promise<ReadonlyArray<Row>> } =
  {
    large: largeRows,
    small: smallRows,
    images: imageRows,
    plan: planRows
  }

/** Servers end and files go whatever happens. */
const on = async (
  name: keyof typeof programs,
  repeats: number,
  measure: (place: Place) => Promise<ReadonlyArray<Row>>
): Promise<ReadonlyArray<Row>> => {
  const base = mkdtempSync(join(tmpdir(), "distillery-bench-"))
  const [root, folder] = [join(base, "server"), join(base, "files")] as const
  for (const one of [root, folder]) mkdirSync(one)
  const server = await makeS3Process(programs[name], root)
  try {
    await server.start()
    return await measure({ server, folder, repeats, label: name === "versitygw" ? "" : `${name}: ` })
  } finally {
    await server.kill()
    rmSync(base, { recursive: true, force: true })
  }
}

export const measure = async (flags: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> => {
  const { values } = parseArgs({
    args: [...flags],
    options: {
      json: { type: "boolean" },
      part: { type: "string", multiple: true, default: Object.keys(parts) },
      server: { type: "string", multiple: true, default: ["versitygw"] },
      repeats: { type: "string", default: "5" }
    }
  })
  await installVersitygw()
  const rows: Array<Row> = [...(await quietRows("before"))]
  for (const name of values.server as ReadonlyArray<keyof typeof programs>) {
    if (!existsSync(programs[name].binary)) throw new Error(`${name} is not in the cache`)
    for (const part of values.part) {
      rows.push(...(await on(name, Number(values.repeats), async (place) => parts[part]!(place))))
    }
  }
  return [...rows, ...(await quietRows("after"))]
}
