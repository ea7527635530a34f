import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    testTimeout: 30_000,
    // One more than the two cores of CI: many tests wait for processes and servers.
    maxWorkers: 3
  }
})
