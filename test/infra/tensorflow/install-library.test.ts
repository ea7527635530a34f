/** Getting the library: real processes and a real pip, against an index of our own with a small release. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Fiber } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { FetchProgress } from "../../../infra/tensorflow/install-library.ts"
import { installLibrary } from "../../../infra/tensorflow/install-library.ts"
import { lookAt, verify } from "../../../infra/tensorflow/installed.ts"
import { type LibraryOptions, locateLibrary, resolveLibrary } from "../../../infra/tensorflow/library.ts"
import type { Machine } from "../../../infra/tensorflow/machine.ts"
import { type PipIndex, startPipIndex } from "../../support/pipIndex.ts"
import { isAlive, until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { toyCpuWheels, toyGpuWheels, toyReleases } from "../../support/toyRelease.ts"

const python = spawnSync("python3", ["-c", "import pip, sys; print(sys.executable)"], { encoding: "utf8" })
const hasPip = python.status === 0
const skipped = hasPip ? "" : " (skipped: no pip here)"

const parent = temporaryFolder()
let home = ""
let index: PipIndex
const running = new Set<ChildProcess>()

beforeEach(async () => {
  home = await fs.mkdtemp(path.join(parent, "home-"))
  index = await startPipIndex([...toyCpuWheels, ...toyGpuWheels])
})
afterEach(() => {
  for (const child of running) child.kill("SIGKILL")
  running.clear()
  index.close()
})

const cacheOf = (folder: string): string => path.join(folder, ".cache")
const rootOf = (folder: string): string => path.join(cacheOf(folder), "tensorflow")
const targetOf = (folder: string): string => path.join(rootOf(folder), toyReleases.cpu.folder)

const machine: Machine = {
  platform: "linux",
  arch: "x64",
  glibc: "2.36",
  gpu: { state: "absent", reason: "none" },
  hasCuda11: false
}
const withGpu: Machine = { ...machine, gpu: { state: "usable", driver: "550.54.15" } }

interface Resolving {
  readonly child: ChildProcess
  readonly lines: Array<FetchProgress & { readonly pid?: number }>
  /** The last line. */
  readonly answer: Promise<{
    readonly kind: string
    readonly reason?: string
    readonly directory?: string
    readonly gpuIdle?: string
  }>
}

/** A process that resolves the library, with nothing of this one's environment but PATH. */
const resolving = (
  options: Partial<LibraryOptions> = {},
  environment: { readonly [name: string]: string } = {}
): Resolving => {
  const script = path.join(import.meta.dirname, "../../support/installing.ts")
  const given = JSON.stringify({ cacheDirectory: cacheOf(home), machine, ...options })
  const { PATH } = process.env
  const child = spawn(process.execPath, [script, given], {
    env: { PATH, HOME: home, PIP_INDEX_URL: index.url, ...environment },
    stdio: ["ignore", "pipe", "inherit"]
  })
  running.add(child)
  const lines: Resolving["lines"] = []
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(JSON.parse(line)))
  const answer = new Promise<Awaited<Resolving["answer"]>>((resolve) => {
    child.on("close", () => resolve(lines.at(-1) as never))
  })
  return { child, lines, answer }
}

/** The same in this process. */
const installing = () => {
  process.env.PIP_INDEX_URL = index.url
  const options = { cacheDirectory: cacheOf(home), release: toyReleases.cpu, onProgress: () => undefined }
  return installLibrary(options)
}

const phases = ({ lines }: Resolving): ReadonlyArray<string> => [
  ...new Set(lines.flatMap(({ phase }) => phase ?? []))
]

/** Processes that pip runs in, by the folder that is theirs alone. */
const pipsIn = (folder: string): ReadonlyArray<number> =>
  execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes("-m pip") && line.includes(folder))
    .map((line) => Number.parseInt(line, 10))

describe(`with pip, in a fresh home${skipped}`, () => {
  it.skipIf(!hasPip)(
    "fetches, says how far it is, verifies, and leaves nothing else behind",
    async () => {
      const fetching = resolving()
      expect(await fetching.answer).toMatchObject({ kind: "native", directory: targetOf(home) })
      expect(phases(fetching)).toEqual(["download", "unpack"])
      const last = fetching.lines.at(-2)
      expect(last).toMatchObject({ phase: "unpack", bytes: 1_400_000, totalBytes: 1_400_000 })
      expect((await verify(targetOf(home))).state).toBe("whole")
      expect(await fs.readdir(rootOf(home))).toEqual([toyReleases.cpu.folder])
      expect((await resolving().answer).kind).toBe("native")
      expect(index.asked).toHaveLength(1)
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "killed half-way, leaves no pip behind and can be done again",
    async () => {
      index.behave({ stallAt: toyCpuWheels[0]!.file })
      const killed = resolving()
      await index.halfway()
      await until(() => pipsIn(home).length > 0)
      const pips = pipsIn(home)
      killed.child.kill("SIGKILL")
      await index.abandoned()
      await until(() => !pips.some(isAlive))
      const located = await Effect.runPromise(locateLibrary({ cacheDirectory: cacheOf(home) }))
      expect(located.kind).toBe("portable")
      index.behave("honest")
      expect((await resolving().answer).kind).toBe("native")
      expect(await fs.readdir(rootOf(home))).toEqual([toyReleases.cpu.folder])
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "a network that stalls for some seconds half-way costs nothing but the seconds",
    async () => {
      index.behave({ stallAt: toyCpuWheels[0]!.file })
      const stalled = resolving()
      await index.halfway()
      await sleep(5_000)
      index.goOn()
      expect(await stalled.answer).toMatchObject({ kind: "native" })
      expect(index.asked).toHaveLength(1)
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "asked to stop half-way, leaves nothing behind",
    async () => {
      index.behave({ stallAt: toyCpuWheels[0]!.file })
      const stopped = Effect.runFork(installing())
      await index.halfway()
      await Effect.runPromise(Fiber.interrupt(stopped))
      expect(await fs.readdir(rootOf(home), { recursive: true })).toEqual(["downloads"])
      expect(pipsIn(home)).toEqual([])
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "two processes at once: one fetches, the other says whom it waits for",
    async () => {
      index.behave({ stallAt: toyCpuWheels[0]!.file })
      const one = resolving()
      await index.halfway()
      const other = resolving()
      await until(() => other.lines.length > 0)
      expect(other.lines[0]).toMatchObject({ phase: "wait", pid: one.child.pid })
      index.goOn()
      expect((await one.answer).kind).toBe("native")
      expect((await other.answer).kind).toBe("native")
      expect(index.asked).toHaveLength(1)
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "of two, the one that fetches is killed: the other takes over",
    async () => {
      index.behave({ stallAt: toyCpuWheels[0]!.file })
      const one = resolving()
      await index.halfway()
      const other = resolving()
      await until(() => other.lines.length > 0)
      index.behave("honest")
      one.child.kill("SIGKILL")
      expect((await other.answer).kind).toBe("native")
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "a wheel that is cut off or another one: the portable runtime, and why",
    async () => {
      index.behave("cut")
      const cut = await resolving().answer
      expect(cut).toMatchObject({ kind: "portable", reason: expect.stringMatching(/^pip could not fetch/) })
      index.behave("other")
      const other = await resolving().answer
      expect(other).toMatchObject({
        kind: "portable",
        reason: expect.stringMatching(
          /gave another tensorflow-cpu 2.21.0 than .* SHA-256 \w{64} instead of \w{64}/
        )
      })
      expect(await fs.readdir(path.join(rootOf(home), "downloads"))).toEqual([])
      index.behave("honest")
      expect((await resolving().answer).kind).toBe("native")
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "what was damaged on the disk is not used, and is fetched again",
    async () => {
      await resolving().answer
      const api = path.join(targetOf(home), "libtensorflow_cc.so.2")
      await fs.truncate(api, 1000)
      const options = { cacheDirectory: cacheOf(home), releases: toyReleases, offline: true }
      const located = await Effect.runPromise(locateLibrary(options))
      expect(located).toMatchObject({ reason: `${api} has 1000 bytes instead of 1000000` })
      expect((await Effect.runPromise(resolveLibrary(options))).kind).toBe("portable")
      expect((await resolving().answer).kind).toBe("native")
      // Of the same size: found by whoever reads it.
      const handle = await fs.open(api, "r+")
      await handle.write(Buffer.from("x"), 0, 1, 5000)
      await handle.close()
      expect(lookAt(targetOf(home)).state).toBe("whole")
      expect(await verify(targetOf(home))).toMatchObject({
        reason: `${api} has changed since it was fetched`
      })
      expect(await Effect.runPromise(installing())).toEqual({ state: "fetched" })
      expect(await Effect.runPromise(installing())).toEqual({ state: "present" })
    },
    60_000
  )
})

describe(`where an NVIDIA GPU is${skipped}`, () => {
  const [first, second] = toyGpuWheels
  const folder = (): string => path.join(rootOf(home), toyReleases.gpu.folder)

  it.skipIf(!hasPip)(
    "fetches TensorFlow and NVIDIA's libraries, to where its RUNPATH leads",
    async () => {
      const answer = await resolving({ machine: withGpu }).answer
      expect(answer).toMatchObject({ kind: "native", directory: path.join(folder(), "tensorflow") })
      expect((await fs.readdir(folder(), { recursive: true })).sort()).toEqual([
        "installed.json",
        "nvidia",
        "nvidia/cublas",
        "nvidia/cublas/lib",
        "nvidia/cublas/lib/libcublas.so.12",
        "tensorflow",
        "tensorflow/libtensorflow_cc.so.2",
        "tensorflow/libtensorflow_framework.so.2"
      ])
      // On this machine, but with the GPU gone or hidden: it computes on CPUs, too.
      expect((await resolving().answer).directory).toBe(answer.directory)
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "killed between two wheels, goes on from the first",
    async () => {
      index.behave({ stallAt: second!.file })
      const killed = resolving({ machine: withGpu })
      await index.halfway()
      killed.child.kill("SIGKILL")
      index.behave("honest")
      expect((await resolving({ machine: withGpu }).answer).kind).toBe("native")
      expect(index.asked).toEqual([first!.file, second!.file, second!.file])
    },
    30_000
  )

  it.skipIf(!hasPip)(
    "takes the CPU's where the GPU's is not to be had, and says why",
    async () => {
      index.behave({ refuse: first!.project })
      const answer = await resolving({ machine: withGpu }).answer
      expect(answer).toMatchObject({
        directory: targetOf(home),
        gpuIdle: expect.stringMatching(/^pip found no nvidia-cublas-cu12 12.5.3.2/)
      })
      const again = await resolving({ machine: withGpu, offline: true }).answer
      expect(again).toMatchObject({ directory: targetOf(home), gpuIdle: "fetching is switched off" })
    },
    30_000
  )
})

describe("without what it takes", () => {
  it.skipIf(!hasPip)(
    `a python3 without pip${skipped}`,
    async () => {
      const bin = path.join(home, "bin")
      await fs.mkdir(bin)
      const script = `#!/bin/sh\nexec ${python.stdout.trim()} -I -S "$@"\n`
      await fs.writeFile(path.join(bin, "python3"), script, { mode: 0o755 })
      const answer = await resolving({}, { PATH: `${bin}:${process.env.PATH}` }).answer
      expect(answer).toMatchObject({ kind: "portable", reason: expect.stringMatching(/has no pip/) })
    },
    30_000
  )

  it("no python3", async () => {
    const bin = path.join(home, "bin")
    await fs.mkdir(bin)
    await fs.symlink("/usr/bin/env", path.join(bin, "env"))
    const answer = await resolving({}, { PATH: bin }).answer
    expect(answer).toMatchObject({ kind: "portable", reason: expect.stringMatching(/no python3/) })
  })

  it.skipIf(!hasPip)(
    `no network${skipped}`,
    async () => {
      const environment = { PIP_INDEX_URL: "http://127.0.0.1:9/simple/" }
      const answer = await resolving({}, environment).answer
      expect(answer).toMatchObject({ kind: "portable", reason: expect.stringMatching(/no network/) })
    },
    30_000
  )

  it.each([
    [{ platform: "darwin", arch: "arm64", glibc: undefined }, /darwin on arm64/],
    [{ platform: "linux", arch: "riscv64", glibc: "2.41" }, /linux on riscv64/],
    [{ platform: "linux", arch: "x64", glibc: undefined }, /needs glibc, and this system has another/],
    [{ platform: "linux", arch: "x64", glibc: "2.17" }, /needs glibc 2.27 or newer, and this system has 2.17/]
  ])("a platform that has no wheel: %j", async (other, reason) => {
    const answer = await resolving({ machine: { ...machine, ...other } }).answer
    expect(answer).toMatchObject({ kind: "portable", reason: expect.stringMatching(reason) })
    expect(index.asked).toEqual([])
  })
})

const canMount = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0
const unmountable = canMount ? skipped : " (skipped: no file system can be mounted here)"

describe(`a full disk${unmountable}`, () => {
  const small = async (sizeKilobytes: number): Promise<string> => {
    const folder = path.join(home, "small")
    await fs.mkdir(folder)
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeKilobytes}k`, "tmpfs", folder])
    return folder
  }
  afterEach(() => {
    spawnSync("umount", ["--lazy", path.join(home, "small")])
  })

  it.skipIf(unmountable !== "")("from the beginning: says what is needed and what is free", async () => {
    const cacheDirectory = await small(1500)
    const answer = await resolving({ cacheDirectory }).answer
    expect(answer.kind).toBe("portable")
    expect(answer.reason).toMatch(/needs 3 MB in .*small\/tensorflow, where 2 MB are free$/)
  })

  it.skipIf(unmountable !== "")(
    "full while it fetches: says so, and leaves the disk as it was",
    async () => {
      const cacheDirectory = await small(5000)
      index.behave({ stallAt: toyCpuWheels[0]!.file })
      const fetching = resolving({ cacheDirectory })
      await index.halfway()
      const filler = path.join(cacheDirectory, "filler")
      await fs.writeFile(filler, Buffer.alloc(5_000_000)).catch(() => undefined)
      index.goOn()
      const answer = await fetching.answer
      expect(answer).toMatchObject({ kind: "portable", reason: expect.stringMatching(/the disk is full/) })
      const left = await fs.readdir(path.join(cacheDirectory, "tensorflow"), { recursive: true })
      expect(left).toEqual(["downloads"])
      await fs.rm(filler)
      index.behave("honest")
      expect((await resolving({ cacheDirectory }).answer).kind).toBe("native")
    },
    30_000
  )
})
