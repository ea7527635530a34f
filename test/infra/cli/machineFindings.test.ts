/** What doctor concludes of machines that are not this one. */
import { assert, describe, it } from "vitest"
import { cpuFinding } from "../../../infra/cli/cpuChecks.ts"
import { type GpuFacts, gpuFinding, namedGpus } from "../../../infra/cli/gpuChecks.ts"
import { libraryFinding, type SelfTestOutcome, selfTestFinding } from "../../../infra/cli/selfTestCheck.ts"

describe("the processor", () => {
  const cpuinfo = (flags: string): string =>
    `processor\t: 0\nmodel name\t: Some CPU @ 2GHz\nflags\t\t: fpu sse4_2 ${flags}\nbogomips\t: 1\n`

  it("is named with what it can do and what it cannot", () => {
    const { state, text } = cpuFinding(cpuinfo("avx2 avx512f avx512_bf16 avx512_vnni"))
    const wanted = "Some CPU @ 2GHz: AVX2, AVX-512, VNNI, AVX-512 BF16; no AMX BF16"
    assert.deepStrictEqual([state, text], ["ok", wanted])
    assert.match(
      cpuFinding(cpuinfo("avx2 avx_vnni")).text,
      /: AVX2, VNNI; no AVX-512, AVX-512 BF16, AMX BF16$/
    )
    assert.match(cpuFinding(cpuinfo("avx2 avx512f avx512_vnni avx512_bf16 amx_bf16")).text, /AMX BF16$/)
    assert.strictEqual(cpuFinding(cpuinfo("avx")).state, "warn")
    assert.match(cpuFinding("").text, /^an unknown processor: no AVX2/)
  })
})

describe("an NVIDIA GPU", () => {
  const h100 = namedGpus("NVIDIA H100 80GB HBM3, 9.0, 81559 MiB\n")
  const facts: GpuFacts = {
    gpu: { state: "usable", driver: "550.54.15" },
    named: h100,
    libraries: "whole",
    backend: "tensorflow-gpu",
    cudaDriver: undefined
  }
  const of = (other: Partial<GpuFacts>) => gpuFinding({ ...facts, ...other })

  it("is named as nvidia-smi names it", () => {
    assert.deepStrictEqual(h100, [
      { name: "NVIDIA H100 80GB HBM3", computeCapability: "9.0", memory: "81559 MiB" }
    ])
    assert.deepStrictEqual(namedGpus("No devices were found\n"), [])
  })

  it("that computes is well; a newer one is compiled for", () => {
    const { state, text } = of({})
    assert.strictEqual(state, "ok")
    assert.match(
      text,
      /^NVIDIA H100 80GB HBM3, compute capability 9\.0, 81559 MiB, driver 550\.54\.15, CUDA 12 and/
    )
    assert.match(text, /first run compiles/)
    const older = of({ named: namedGpus("Tesla T4, 7.5, 15360 MiB") })
    assert.notMatch(older.text, /compiles/)
  })

  it.each<[string, Partial<GpuFacts>, "ok" | "warn" | "fail", RegExp, RegExp | undefined]>([
    [
      "absent",
      { gpu: { state: "absent", reason: "none" } },
      "ok",
      /^not used: none; low precision is bfloat16, not float16$/,
      undefined
    ],
    ["its driver too old", { gpu: { state: "unusable", reason: "old" } }, "warn", /: old$/, /newer driver/],
    [
      "too old",
      { named: namedGpus("Tesla K80, 3.7, 11441 MiB") },
      "warn",
      /needs compute capability 6/,
      /CPU$/
    ],
    [
      "without libraries",
      { libraries: "absent" },
      "warn",
      /cuDNN 9 is not fetched$/,
      /runtime install --gpu$/
    ],
    ["with damaged ones", { libraries: "damaged" }, "warn", /cuDNN 9 is damaged$/, /runtime install --gpu$/],
    ["without libcuda", { cudaDriver: "no such file" }, "fail", /does not load: no such file$/, /--gpus all/],
    ["idle", { backend: "tensorflow" }, "warn", /but the CPU computes$/, /self-test/]
  ])("%s", (_name, other, state, text, fix) => {
    const found = of(other)
    assert.strictEqual(found.state, state)
    assert.match(found.text, text)
    if (fix === undefined) assert.isUndefined(found.fix)
    else assert.match(found.fix ?? "", fix)
  })
})

describe("the self-test", () => {
  const trained = { backend: "wasm", library: "tfjs", losses: [1.4, 1.2], stepMillis: 120 }
  const native = { ...trained, backend: "tensorflow", library: "tensorflow 2.21.0", stepMillis: 4.2 }
  const outcome = (other: Partial<typeof native & { oneDnn: boolean | null }>): SelfTestOutcome => ({
    _tag: "Done",
    result: { portable: trained, native: { ...native, oneDnn: true, cudaDriver: null, ...other } }
  })

  it("compares losses and speeds", () => {
    const { state, text } = selfTestFinding(outcome({ losses: [1.4, 1.20001] }))
    const wanted =
      "a small residual net trains alike: 4.2 ms a step traced, 120 ms a step eagerly, losses within 1.0e-5"
    assert.deepStrictEqual([state, text], ["ok", wanted])
    assert.strictEqual(selfTestFinding(outcome({ losses: [1.4, 1.3] })).state, "fail")
    assert.strictEqual(selfTestFinding(outcome({ losses: [1.4, Number.NaN] })).state, "fail")
    assert.strictEqual(selfTestFinding(outcome({ stepMillis: 200 })).state, "warn")
    const alone: SelfTestOutcome = { _tag: "Done", result: { portable: trained } }
    assert.strictEqual(selfTestFinding(alone).text, "a small residual net trains: 120 ms a step eagerly")
    assert.deepStrictEqual(libraryFinding(alone), [])
  })

  it("says whether oneDNN is on, which counts on CPUs", () => {
    assert.strictEqual(
      libraryFinding(outcome({}))[0]!.text,
      "tensorflow 2.21.0, computes on the CPU, oneDNN on"
    )
    assert.strictEqual(libraryFinding(outcome({ oneDnn: false }))[0]!.state, "warn")
    const onGpu = libraryFinding(outcome({ oneDnn: false, backend: "tensorflow-gpu" }))[0]!
    assert.deepStrictEqual(
      [onGpu.state, onGpu.text],
      ["ok", "tensorflow 2.21.0, computes on the GPU, oneDNN off"]
    )
  })
})
