/** Folders that live as long as a test file. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "distillery-test-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
