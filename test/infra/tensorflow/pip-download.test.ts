/** Fetching where it cannot work: the answer must come soon and say why. A stand-in for python3 plays pip. */
import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { downloadWheel } from "../../../infra/tensorflow/pip-download.ts"
import { isAlive, until } from "../../support/processes.ts"

const wheel = { requirement: "some-wheel==1.0", sizeBytes: 8, sha256: "", wanted: /x/ }

let folder = ""
const before = process.env.PATH

beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(tmpdir(), "distillery-pip-"))
})
afterEach(async () => {
  process.env.PATH = before
  await fs.rm(folder, { recursive: true, force: true })
})

const pretend = async (script: string): Promise<void> => {
  const bin = path.join(folder, "bin")
  await fs.mkdir(bin)
  await fs.writeFile(path.join(bin, "python3"), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  process.env.PATH = `${bin}:${before}`
}

const download = async (
  patienceMillis = 10_000
): Promise<{ readonly result: Promise<string>; readonly reports: Array<number> }> => {
  const target = path.join(folder, "staging")
  await fs.mkdir(target)
  const reports: Array<number> = []
  return {
    result: downloadWheel({
      wheel,
      folder: target,
      onProgress: (bytes) => reports.push(bytes),
      signal: new AbortController().signal,
      patienceMillis
    }),
    reports
  }
}

describe("downloadWheel", () => {
  it("answers the wheel and reports its growth", async () => {
    // The last argument is the folder to put it into; the first half arrives before the second.
    await pretend(
      'for to in "$@"; do :; done; printf half > "$to/a.whl"; sleep 0.5; printf half >> "$to/a.whl"'
    )
    const { result, reports } = await download()
    expect(path.basename(await result)).toBe("a.whl")
    expect(reports).toContain(4)
  })

  it("gives up if nothing arrives, and ends pip", async () => {
    await pretend(`echo $$ > ${folder}/pid; exec sleep 60`)
    const { result } = await download(1000)
    await expect(result).rejects.toThrow(/received nothing for 1 s/)
    const pid = Number(await fs.readFile(path.join(folder, "pid"), "utf8"))
    await until(() => !isAlive(pid))
  })

  it.each([
    ["echo 'No module named pip' >&2; exit 1", /has no pip/],
    [
      "echo 'ERROR: No matching distribution found for x' >&2; exit 1",
      /no network, a package index without it/
    ],
    ["echo 'ERROR: disk on fire' >&2; exit 1", /disk on fire/],
    ["echo 'OSError: [Errno 28] No space left on device' >&2; exit 1", /^the disk is full/],
    ["exit 0", /could not fetch/]
  ])("says why: %s", async (script, reason) => {
    await pretend(script)
    const { result } = await download()
    await expect(result).rejects.toThrow(reason)
  })

  it("says that there is no python3", async () => {
    process.env.PATH = path.join(folder, "nowhere")
    const { result } = await download()
    await expect(result).rejects.toThrow(/no python3/)
  })
})
