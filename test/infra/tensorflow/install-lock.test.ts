import * as fs from "node:fs/promises"
import { hostname, tmpdir } from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { withInstallLock } from "../../../infra/tensorflow/install-lock.ts"

let folder = ""
let lock = ""
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(tmpdir(), "distillery-lock-"))
  lock = path.join(folder, "install.lock")
})
afterEach(() => fs.rm(folder, { recursive: true, force: true }))

const never = new AbortController().signal

describe("withInstallLock", () => {
  it("lets one work at a time and leaves nothing behind, also after a failure", async () => {
    let inside = 0
    const work = async (fails: boolean): Promise<void> => {
      inside += 1
      expect(inside).toBe(1)
      await sleep(20)
      inside -= 1
      if (fails) throw new Error("no luck")
    }
    const attempts = [false, true, false].map((fails) => withInstallLock(lock, never, () => work(fails)))
    const outcomes = await Promise.allSettled(attempts)
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
    expect(await fs.readdir(folder)).toEqual([])
  })

  it("takes over from a process that is gone", async () => {
    // Process ids end at 2^22 on Linux.
    await fs.writeFile(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }))
    expect(await withInstallLock(lock, never, async () => "done")).toBe("done")
  })

  it("takes over a lock of another machine that was not renewed", async () => {
    await fs.writeFile(lock, JSON.stringify({ pid: 1, host: "elsewhere" }))
    const long = new Date(Date.now() - 60_000)
    await fs.utimes(lock, long, long)
    expect(await withInstallLock(lock, never, async () => "done")).toBe("done")
  })

  it("waits for a living holder, and can be interrupted", async () => {
    await fs.writeFile(lock, JSON.stringify({ pid: process.pid, host: hostname() }))
    const waiting = withInstallLock(lock, AbortSignal.timeout(400), async () => "done")
    await expect(waiting).rejects.toThrow(/abort/i)
    expect(await fs.readdir(folder)).toEqual(["install.lock"])
  })
})
