/** An S3 server for the tests of a file, on a folder and port of its own. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { makeS3Process, type S3Program, type S3TestServer } from "./s3Process.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

/** Runs from the first test of the file to the last. */
export const startS3Server = async (program: S3Program): Promise<S3TestServer> => {
  const root = join(temporaryFolder(), "data")
  mkdirSync(root)
  const server = await makeS3Process(program, root)
  // Not at once: of a file whose tests are all left out no hook runs, and nobody would end the server.
  beforeAll(server.start, 60_000)
  afterAll(server.kill)
  return server
}
