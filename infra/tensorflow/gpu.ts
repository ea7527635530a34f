/** Whether an NVIDIA GPU can be used here, from what its driver shows in the file system. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import * as path from "node:path"

export type Gpu =
  | { readonly state: "usable"; readonly driver: string }
  /** The reason is a clause. */
  | { readonly state: "absent" | "hidden" | "unusable"; readonly reason: string }

export interface GpuOptions {
  /** `CUDA_VISIBLE_DEVICES`: an empty list or -1 hides every GPU. */
  readonly visible: string | undefined
  /** Stands before `/dev` and `/proc`. */
  readonly root?: string
}

/** The oldest driver that CUDA 12 runs on (CUDA's table of minor version compatibility). */
const DRIVER_MIN = "525.60.13"

export const findGpu = ({ root = "/", visible }: GpuOptions): Gpu => {
  if (!existsSync(path.join(root, "dev", "nvidiactl"))) {
    return { state: "absent", reason: "there is no NVIDIA GPU (no /dev/nvidiactl)" }
  }
  if (visible !== undefined && /^\s*(-1\b.*)?$/.test(visible)) {
    return { state: "hidden", reason: `CUDA_VISIBLE_DEVICES="${visible}" hides the GPU` }
  }
  if (!readdirSync(path.join(root, "dev")).some((name) => /^nvidia\d+$/.test(name))) {
    return { state: "absent", reason: "NVIDIA's driver is here, but no GPU (no /dev/nvidia0)" }
  }
  const driver = driverVersion(root)
  if (driver === undefined) {
    return { state: "unusable", reason: "NVIDIA's driver does not say its version (/proc/driver/nvidia)" }
  }
  return isOlder(driver, DRIVER_MIN)
    ? {
        state: "unusable",
        reason: `CUDA 12 needs NVIDIA's driver ${DRIVER_MIN} or newer, and this is ${driver}`
      }
    : { state: "usable", driver }
}

/** `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024`, and alike. */
const driverVersion = (root: string): string | undefined => {
  try {
    const text = readFileSync(path.join(root, "proc", "driver", "nvidia", "version"), "utf8")
    return /^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s/m.exec(text)?.[1]
  } catch {
    return undefined
  }
}

const isOlder = (version: string, than: string): boolean => {
  const [ours, theirs] = [version, than].map((text) => text.split(".").map(Number))
  const at = theirs!.findIndex((part, index) => (ours![index] ?? 0) !== part)
  return at !== -1 && (ours![at] ?? 0) < theirs![at]!
}

/** The folders of CUDA libraries below `root`; none where CUDA is not installed. */
export const cudaFolders = (root: string): ReadonlyArray<string> => {
  const installed = path.join(root, "usr", "local")
  const toolkits = existsSync(installed)
    ? readdirSync(installed).filter((name) => /^cuda(-\d+\.\d+)?$/.test(name))
    : []
  return [
    ...toolkits.map((name) => path.join(installed, name, "lib64")),
    path.join(root, "usr", "lib", "x86_64-linux-gnu")
  ]
}
