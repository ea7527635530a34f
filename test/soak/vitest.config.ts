import { defineConfig } from "vitest/config"

/** `npm run test:soak`: what takes long, or needs what CI does not have; from the package's root. */
export default defineConfig({
  test: {
    include: ["test/soak/**/*.soak.ts"],
    globalSetup: ["test/soak/globalSetup.ts"],
    testTimeout: 300_000,
    // They measure, or use what the machine has once.
    fileParallelism: false
  }
})
