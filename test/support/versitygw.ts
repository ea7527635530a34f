/**
 * versitygw, a small S3 server that checks credentials and conditions. Tests that need it skip where the
 * binary is not to be had.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type S3TestServer, versitygwProgram } from "./s3Process.ts"
import { startS3Server } from "./s3Server.ts"
import { binary } from "./versitygwBinary.ts"

/** Whether the server can be started, in the words of a test's title. */
export const versitygwMissing: boolean = !existsSync(binary)
export const skipNote = versitygwMissing ? " (skipped: no versitygw, and no go to build it)" : ""

export interface Versitygw extends S3TestServer {
  /** The bucket's objects as files. */
  readonly folder: string
}

/** Runs from the first test of the file to the last. */
export const startVersitygw = async (): Promise<Versitygw> => {
  const server = await startS3Server(versitygwProgram)
  return { ...server, folder: join(server.root, server.bucket) }
}
