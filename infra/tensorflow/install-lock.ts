/** A lock file between processes: held by one at a time, taken over from the dead. */
import * as fs from "node:fs/promises"
import { hostname } from "node:os"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"

/** The holder renews the file this often; one that was not renewed for `STALE_MILLIS` is abandoned. */
const RENEW_MILLIS = 5_000
const STALE_MILLIS = 30_000
const POLL_MILLIS = 250

/**
 * Runs `use` while holding the lock; waits as long as a living process holds it.
 *
 * Between seeing that a lock is abandoned and taking it, another process may do the same: two may then both
 * believe to hold it for once. What is done under it must bear that (here: the last step is an atomic
 * rename).
 */
export const withInstallLock = async <A>(
  file: string,
  signal: AbortSignal,
  use: () => Promise<A>
): Promise<A> => {
  while (!(await acquire(file))) {
    if (await abandoned(file)) await fs.rm(file, { force: true })
    else await sleep(POLL_MILLIS, undefined, { signal })
  }
  const renewal = setInterval(() => {
    const now = new Date()
    // If it fails, the lock was taken from us; see above.
    fs.utimes(file, now, now).catch(() => {})
  }, RENEW_MILLIS)
  try {
    return await use()
  } finally {
    clearInterval(renewal)
    await fs.rm(file, { force: true })
  }
}

const acquire = async (file: string): Promise<boolean> => {
  try {
    await fs.writeFile(file, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: "wx" })
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false
    throw cause
  }
}

const abandoned = async (file: string): Promise<boolean> => {
  try {
    const { mtimeMs } = await fs.stat(file)
    if (Date.now() - mtimeMs > STALE_MILLIS) return true
    const holder = JSON.parse(await fs.readFile(file, "utf8")) as { pid?: unknown; host?: unknown }
    return holder.host === hostname() && typeof holder.pid === "number" && !isAlive(holder.pid)
  } catch {
    // Gone by now, or not yet written: look again.
    return false
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM"
  }
}
