/**
 * What a pipeline of 1,000 hits costs on a store on S3: the requests of a machine that sees the project for
 * the first time, and the time of the whole command.
 */
import { execFile } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { startCountingProxy } from "../../support/countingProxy.ts"
import { makeProject, writeChains } from "../engine/chains.ts"
import { median, type Row, row } from "../Row.ts"
import type { Place } from "./transfers.ts"

const program = join(import.meta.dirname, "../../../dist/main.js")
const numJobs = 1000
const run = promisify(execFile)

export const planRows = async ({ folder, label, repeats, server }: Place): Promise<ReadonlyArray<Row>> => {
  const proxy = await startCountingProxy(server.url)
  const env = {
    ...process.env,
    ...server.environment,
    AWS_ENDPOINT_URL: proxy.url,
    DISTILLERY_STORE: `s3://${server.bucket}/plan`,
    XDG_CONFIG_HOME: join(folder, "home")
  }
  /** In a project that was never seen on this machine; seconds and requests. */
  const anew = async (...args: ReadonlyArray<string>) => {
    const project = makeProject()
    try {
      const file = writeChains(project, numJobs)
      proxy.passed.length = 0
      const began = performance.now()
      await run(process.execPath, [program, args[0]!, file, ...args.slice(1)], { cwd: project, env })
      return { seconds: (performance.now() - began) / 1000, requests: proxy.passed.length }
    } finally {
      rmSync(project, { recursive: true })
    }
  }
  try {
    await anew("run", "--in-process", "--quiet")
    const rows: Array<Row> = []
    for (const command of ["plan", "run"]) {
      const measured = [await anew(command)]
      while (measured.length < repeats) measured.push(await anew(command))
      const [seconds, requests] = [measured.map((one) => one.seconds), measured.map((one) => one.requests)]
      const name = `${label}${command} of 1,000 hits, first on a machine`
      rows.push(
        row({ name, value: Math.max(...requests), unit: "requests", goal: 100 }),
        row({ name: `${label}  its time`, value: median(seconds), unit: "s" })
      )
    }
    return rows
  } finally {
    proxy.close()
  }
}
