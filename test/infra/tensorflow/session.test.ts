/** What a session is told and what it says: settings as bytes, devices, CUDA's environment. */
import koffi from "koffi"
import { describe, expect, it } from "vitest"
import { TensorFlow } from "../../../infra/tensorflow/capi.ts"
import { devicesOf } from "../../../infra/tensorflow/devices.ts"
import { sessionSettings } from "../../../infra/tensorflow/session-settings.ts"
import { readGolden } from "../../support/golden.ts"
import { library, native } from "../../support/runtimes.ts"

describe("sessionSettings", () => {
  const golden = Object.entries(readGolden<{ readonly [threads: string]: string }>("session-settings"))
  it.each(golden)("are the bytes that TensorFlow's own classes write, for %s threads", (threads, bytes) => {
    expect(Buffer.from(sessionSettings(Number(threads))).toString("hex")).toBe(bytes)
  })
})

const skipped = native.skipped !== "" || library.kind === "portable"

describe(`a loaded TensorFlow${native.skipped}`, () => {
  it.skipIf(skipped)("lists its devices and gives back what it takes for that", () => {
    if (library.kind === "portable") return
    const tensorflow = TensorFlow.load(library)
    const before = tensorflow.handles.live
    const devices = devicesOf(tensorflow, 2)
    expect(devices.map(({ type }) => type)).toContain("CPU")
    expect(devices[0]!.name).toMatch(/\/device:CPU:0$/)
    expect(tensorflow.handles.live).toEqual(before)
  })

  it.skipIf(skipped)("keeps what CUDA compiles where it is told, unless the user says otherwise", () => {
    if (library.kind === "portable") return
    process.env.CUDA_CACHE_MAXSIZE = "1000"
    TensorFlow.load({ ...library, directory: `${library.directory}/.` }, "/a/cache")
    const variable = koffi.load(null).func("const char* getenv(const char*)")
    expect(variable("CUDA_CACHE_PATH")).toBe("/a/cache")
    expect(variable("CUDA_CACHE_MAXSIZE")).toBe("1000")
  })
})
