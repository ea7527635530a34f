import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    testTimeout: 30_000,
    // One more than the two cores of CI: many tests wait for processes and servers.
    maxWorkers: 3,
    projects: [
      // What is pure leaves nothing behind in a process: its files share one, and the modules it has loaded.
      { extends: true, test: { name: "lib", include: ["test/lib/**/*.test.ts"], isolate: false } },
      {
        extends: true,
        test: {
          name: "all else",
          include: ["test/**/*.test.ts"],
          exclude: ["test/lib/**"],
          globalSetup: ["test/support/globalSetup.ts"]
        }
      }
    ]
  }
})
