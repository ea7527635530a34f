/**
 * A C compiler for machines that have none: Zig's, of whose wheel pip fetches 101 MB. It is needed for some
 * seconds, and not kept.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { digestOf } from "./installed.ts"
import { downloadWheel, NotFetched } from "./pip-download.ts"
import type { Wheel } from "./releases.ts"
import { unpackWheel } from "./wheel.ts"

/** Clang's headers and those of glibc are enough: nothing is linked but our own objects. */
const zig: Wheel = {
  requirement: "ziglang==0.17.1",
  sizeBytes: 101_083_562,
  sha256: "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
  // By its standard library it finds where it is installed.
  wanted:
    /^ziglang\/(zig|lib\/(std\/std\.zig|include\/.+|libc\/include\/(x86.*linux|generic-glibc|any-linux).*))$/
}

/** A program that compiles C, with what goes before its arguments. */
export interface Compiler {
  readonly name: string
  readonly command: string
  readonly arguments: ReadonlyArray<string>
  /** More of them where a shared object is linked. */
  readonly linking: ReadonlyArray<string>
  readonly environment: { readonly [name: string]: string }
}

/** Fetches the compiler into an empty folder. Throws `NotFetched` if there is no pip or no network. */
export const fetchZig = async (folder: string, signal: AbortSignal): Promise<Compiler> => {
  const archive = await downloadWheel({ wheel: zig, folder, onProgress: () => {}, signal })
  if ((await digestOf(archive)) !== zig.sha256) {
    throw new NotFetched(`the package index gave another ${zig.requirement} than the one we know`)
  }
  const { wanted } = zig
  await unpackWheel({ archive, wanted, prefix: "ziglang/", folder, onProgress: () => {}, signal })
  await fs.rm(archive)
  const cache = path.join(folder, "cache")
  return {
    name: "zig cc",
    command: path.join(folder, "zig"),
    arguments: ["cc", "-target", "x86_64-linux-gnu", "-mcpu=native"],
    // It would build glibc's stubs first.
    linking: ["-nostdlib"],
    environment: { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache }
  }
}
