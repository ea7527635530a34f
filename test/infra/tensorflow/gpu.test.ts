import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { cudaFolders, findGpu } from "../../../infra/tensorflow/gpu.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const parent = temporaryFolder()

/** A file system in which the driver shows what is given. */
const machineWith = (files: { readonly [path: string]: string }): string => {
  const root = mkdtempSync(join(parent, "root-"))
  for (const [path, content] of Object.entries({ "dev/null": "", ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

const devices = { "dev/nvidiactl": "", "dev/nvidia0": "" }
// Both forms as NVIDIA's driver writes them (the second since its kernel modules are open).
const closed = (version: string) =>
  `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Tue Mar  5 22:23:56 UTC 2024\nGCC 12\n`
const open = (version: string) =>
  `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  ${version}  Release Build  (dvs)  Thu 2024\n`
const driver = (text: string) => ({ ...devices, "proc/driver/nvidia/version": text })

describe("findGpu", () => {
  it.each([closed, open])("finds driver and GPU (%s)", (written) => {
    const root = machineWith(driver(written("550.54.15")))
    expect(findGpu({ root, visible: undefined })).toEqual({ state: "usable", driver: "550.54.15" })
    expect(findGpu({ root, visible: "1,0" })).toEqual({ state: "usable", driver: "550.54.15" })
  })

  it.each(["", "-1", " -1,0"])("none where CUDA_VISIBLE_DEVICES is %j", (visible) => {
    const root = machineWith(driver(closed("550.54.15")))
    expect(findGpu({ root, visible })).toMatchObject({ state: "hidden" })
  })

  it("says why a GPU cannot be used", () => {
    expect(findGpu({ root: machineWith({}), visible: undefined })).toMatchObject({ state: "absent" })
    const bare = machineWith({ "dev/nvidiactl": "" })
    expect(findGpu({ root: bare, visible: undefined })).toMatchObject({ state: "absent" })
    const silent = machineWith(devices)
    expect(findGpu({ root: silent, visible: undefined })).toMatchObject({ state: "unusable" })
    const old = machineWith(driver(closed("470.199.02")))
    expect(findGpu({ root: old, visible: undefined })).toMatchObject({
      state: "unusable",
      reason: "CUDA 12 needs NVIDIA's driver 525.60.13 or newer, and this is 470.199.02"
    })
    for (const [version, state] of [
      ["525.60.11", "unusable"],
      ["525.60.13", "usable"],
      ["526.1", "usable"]
    ] as const) {
      const root = machineWith(driver(closed(version)))
      expect(findGpu({ root, visible: undefined }).state).toBe(state)
    }
  })

  it("knows the folders of CUDA's toolkits", () => {
    const library = "usr/local/cuda-11.8/lib64/libcudart.so.11.0"
    const root = machineWith({ [library]: "", "usr/local/bin/x": "" })
    expect(cudaFolders(root)).toContain(join(root, dirname(library)))
    expect(cudaFolders(root)).not.toContain(join(root, "usr/local/bin/lib64"))
  })
})
