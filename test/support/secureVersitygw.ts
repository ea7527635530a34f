/** versitygw behind TLS, of a certificate that only the fixtures' authority vouches for. */
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { makeS3Process, type S3Process, type S3Program, versitygwProgram } from "./s3Process.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

const fixture = (name: string): string => join(import.meta.dirname, "../fixtures/tls", name)

/** What is to be trusted. */
export const authority = fixture("authority.pem")

/** What a server of the tests' own shows. */
export const certificate = {
  cert: readFileSync(fixture("server.pem")),
  key: readFileSync(fixture("server-key.pem"))
}

/** Keeps connections, and knows buckets as names below `domain`. */
const secureProgram = (domain: string, accessLog: string): S3Program => ({
  ...versitygwProgram,
  isSecure: true,
  args: (address, root) => [
    ...["--cert", fixture("server.pem"), "--key", fixture("server-key.pem")],
    ...["--keep-alive", "--virtual-domain", domain, "--access-log", accessLog],
    ...versitygwProgram.args(address, root)
  ]
})

export interface SecureVersitygw extends S3Process {
  /** What it was asked for since it was last looked at: `s3_GetObject key /key?query 200 …`. */
  readonly asked: () => ReadonlyArray<string>
}

/** Runs from the first test of the file to the last. */
export const startSecureVersitygw = async (domain: string): Promise<SecureVersitygw> => {
  const folder = temporaryFolder()
  const root = join(folder, "data")
  const accessLog = join(folder, "access.log")
  const server = await makeS3Process(secureProgram(domain, accessLog), root)
  mkdirSync(join(root, server.bucket), { recursive: true })
  beforeAll(server.restart, 60_000)
  afterAll(server.kill)
  let numSeen = 0
  const asked = () => {
    const all = readFileSync(accessLog, "utf8")
      .split("\n")
      .filter((line) => line.includes(" s3_"))
    const fresh = all.slice(numSeen).map((line) => line.slice(line.indexOf(" s3_") + 1))
    numSeen = all.length
    return fresh
  }
  return { ...server, asked }
}
