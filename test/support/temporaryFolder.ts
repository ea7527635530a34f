/** Folders that live as long as a test file. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "distillery-test-"))
  // Some hold an installation of npm, of some ten thousand files.
  afterAll(() => rmSync(folder, { recursive: true, force: true }), 120_000)
  return folder
}
