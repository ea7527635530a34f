/** Watching real processes and real time, where Effect's test clock stands still. */

export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Fails when the condition does not come to hold in time. */
export const until = async (condition: () => boolean, millis = 15_000): Promise<void> => {
  const end = performance.now() + millis
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${millis} ms in vain`)
    await sleep(10)
  }
}
