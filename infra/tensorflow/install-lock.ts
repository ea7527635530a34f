/** A lock file between processes: held by one at a time, taken over from the dead. */
import { randomUUID } from "node:crypto"
import * as fs from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { isGone, ownIdentity, type ProcessIdentity } from "../ownerLiveness.ts"

/** The holder renews the file this often; one that was not renewed for `STALE_MILLIS` is abandoned. */
const RENEW_MILLIS = 5_000
const STALE_MILLIS = 30_000
const POLL_MILLIS = 250

/** Who holds a lock; `id` tells this acquisition from all others. */
export interface LockHolder extends ProcessIdentity {
  readonly id: string
}

export interface LockOptions {
  readonly file: string
  readonly signal: AbortSignal
  /** Called once if another process is found to hold it. */
  readonly onWait: (holder: ProcessIdentity) => void
}

/**
 * Runs `use` while holding the lock; waits as long as a living process holds it.
 *
 * A holder that was frozen for longer than `STALE_MILLIS` may go on beside its successor. What is done under
 * the lock must bear that (here: the last step is an atomic rename).
 */
export const withInstallLock = async <A>(options: LockOptions, use: () => Promise<A>): Promise<A> => {
  const { file } = options
  const own: LockHolder = { ...(await ownIdentity()), id: randomUUID() }
  await waitFor(own, options)
  const renewal = setInterval(() => {
    const now = new Date()
    // If it fails, the lock was taken from us; see above.
    fs.utimes(file, now, now).catch(() => {})
  }, RENEW_MILLIS)
  try {
    return await use()
  } finally {
    clearInterval(renewal)
    if ((await holderOf(file)).id === own.id) await fs.rm(file, { force: true })
  }
}

const waitFor = async (own: LockHolder, { file, onWait, signal }: LockOptions): Promise<void> => {
  let told = false
  while (!(await acquire(file, own))) {
    const holder = await holderOf(file)
    if (await abandoned(file, holder)) {
      await takeAway(file, holder)
      continue
    }
    if (!told && holder !== NOBODY) {
      told = true
      onWait(holder)
    }
    await sleep(POLL_MILLIS, undefined, { signal })
  }
}

/** Written elsewhere first, so that the file is never seen without its content. */
const acquire = async (file: string, own: LockHolder): Promise<boolean> => {
  const draft = `${file}.${own.id}`
  try {
    await fs.writeFile(draft, JSON.stringify(own))
    await fs.link(draft, file)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false
    throw cause
  } finally {
    await fs.rm(draft, { force: true })
  }
}

/** Released by now, or a file that the system could not keep: only its age speaks for it. */
const NOBODY: LockHolder = { host: "", pid: 0, incarnation: "", id: "" }

const holderOf = async (file: string): Promise<LockHolder> => {
  try {
    return JSON.parse(await fs.readFile(file, "utf8")) as LockHolder
  } catch {
    return NOBODY
  }
}

const abandoned = async (file: string, holder: LockHolder): Promise<boolean> => {
  const stat = await fs.stat(file).catch(() => undefined)
  if (stat === undefined) return false
  return Date.now() - stat.mtimeMs > STALE_MILLIS || (holder !== NOBODY && (await isGone(holder)))
}

/** Of several that see the same lock abandoned, one moves it away; a newer one that was moved goes back. */
const takeAway = async (file: string, abandonedBy: LockHolder): Promise<void> => {
  const aside = `${file}.${randomUUID()}`
  try {
    await fs.rename(file, aside)
  } catch {
    // Another was faster.
    return
  }
  if ((await holderOf(aside)).id !== abandonedBy.id) await fs.link(aside, file).catch(() => {})
  await fs.rm(aside, { force: true })
}
