import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { ownIdentity } from "../../../infra/ownerLiveness.ts"
import { withInstallLock } from "../../../infra/tensorflow/install-lock.ts"

let folder = ""
let lock = ""
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(tmpdir(), "distillery-lock-"))
  lock = path.join(folder, "install.lock")
})
afterEach(() => fs.rm(folder, { recursive: true, force: true }))

const never = new AbortController().signal

const locked = <A>(use: () => Promise<A>, signal = never, onWait: () => void = () => undefined): Promise<A> =>
  withInstallLock({ file: lock, signal, onWait }, use)

/** A lock of a process as we have it, but for what is given. */
const lockOf = async (other: { readonly pid?: number; readonly incarnation?: string }): Promise<void> =>
  fs.writeFile(lock, JSON.stringify({ ...(await ownIdentity()), id: "theirs", ...other }))

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
    const attempts = [false, true, false].map((fails) => locked(() => work(fails)))
    const outcomes = await Promise.allSettled(attempts)
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
    expect(await fs.readdir(folder)).toEqual([])
  })

  it("takes over from a process that is gone", async () => {
    // Process ids end at 2^22 on Linux.
    await lockOf({ pid: 2 ** 22 + 1 })
    expect(await locked(async () => "done")).toBe("done")
  })

  it("takes over from a process whose pid is another's by now", async () => {
    const { incarnation } = await ownIdentity()
    await lockOf({ incarnation: incarnation.replace(/\d+$/, "1") })
    expect(await locked(async () => "done")).toBe("done")
  })

  it("of many that take over from the dead, one works at a time", async () => {
    await lockOf({ pid: 2 ** 22 + 1 })
    let inside = 0
    const most: Array<number> = []
    const work = async (): Promise<void> => {
      inside += 1
      most.push(inside)
      await sleep(5)
      inside -= 1
    }
    await Promise.all(Array.from({ length: 8 }, () => locked(work)))
    expect(Math.max(...most)).toBe(1)
    expect(await fs.readdir(folder)).toEqual([])
  })

  it.each([
    [
      "of another machine",
      JSON.stringify({ pid: 1, host: "elsewhere", incarnation: "elsewhere 1", id: "x" })
    ],
    ["that holds nothing", ""]
  ])("takes over a lock %s that was not renewed", async (_name, content) => {
    await fs.writeFile(lock, content)
    const long = new Date(Date.now() - 60_000)
    await fs.utimes(lock, long, long)
    expect(await locked(async () => "done")).toBe("done")
  })

  it("waits for a living holder, says so once, and can be interrupted", async () => {
    await lockOf({})
    let told = 0
    const waiting = locked(
      async () => "done",
      AbortSignal.timeout(700),
      () => {
        told += 1
      }
    )
    await expect(waiting).rejects.toThrow(/abort/i)
    expect(told).toBe(1)
    expect(await fs.readdir(folder)).toEqual(["install.lock"])
  })
})
