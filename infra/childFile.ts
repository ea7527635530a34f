/** The program of a job's process: beside this module in `dist`, with the commands in the sources. */
import { fileURLToPath } from "node:url"

export const childFile = (): string =>
  fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./cli/child.ts" : "./child.js", import.meta.url))
