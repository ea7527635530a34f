/** Beside this module, built or not: `dist/main.js` or `infra/cli/main.ts`. */
import { fileURLToPath } from "node:url"

export const programFile = (): string => {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js"
  return fileURLToPath(new URL(`./main.${extension}`, import.meta.url))
}
