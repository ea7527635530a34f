/**
 * Who moves files to and from an S3 server: we and the peers, each a process of its own that is started anew
 * for every measurement. Peers that are missing are made ready once, in the user's cache.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { buildSync } from "esbuild"
import type { S3TestServer } from "../../support/s3Process.ts"
import { binary as versitygw } from "../../support/versitygwBinary.ts"
import { peerFolder } from "../peerFolder.ts"

const packageRoot = join(import.meta.dirname, "../../..")
const spentScript = join(import.meta.dirname, "../engine/spent.py")
const tools = dirname(versitygw)

export interface Spent {
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly peakMebibytes: number
}

export const spent = (command: ReadonlyArray<string>, server: S3TestServer, cwd = packageRoot): Spent => {
  const env = {
    ...process.env,
    ...server.environment,
    S3_ENDPOINT_URL: server.url,
    BENCH_BUCKET: server.bucket,
    DVC_NO_ANALYTICS: "1"
  }
  const said = execFileSync("python3", [spentScript, ...command], { cwd, encoding: "utf8", env })
  const used = JSON.parse(said) as Spent & { readonly status: number; readonly stderr: string }
  if (used.status !== 0) throw new Error(`${command.join(" ")} ended with ${used.status}:\n${used.stderr}`)
  return used
}

const succeeded = (program: string, args: ReadonlyArray<string>, options: object = {}): boolean =>
  spawnSync(program, args, { stdio: ["ignore", 2, 2], ...options }).status === 0

/**
 * In a module of its own: `go install` asks for lists of versions, which not every proxy of modules has.
 */
const goTool = (name: string, module: string, version: string): string | undefined => {
  const binary = join(tools, name)
  if (existsSync(binary)) return binary
  console.error(`building ${name} ${version} into ${tools}, once: some minutes`)
  const folder = mkdtempSync(join(tmpdir(), "distillery-bench-"))
  writeFileSync(join(folder, "go.mod"), `module peers\n\ngo 1.24\n\nrequire ${module} ${version}\n`)
  writeFileSync(join(folder, "tools.go"), `//go:build tools\n\npackage peers\n\nimport _ "${module}"\n`)
  const options = { cwd: folder, env: { ...process.env, CGO_ENABLED: "0" } }
  const isBuilt =
    succeeded("go", ["mod", "tidy"], options) && succeeded("go", ["build", "-o", binary, module], options)
  rmSync(folder, { recursive: true })
  return isBuilt ? binary : undefined
}

const pipTool = (name: string, requirement: string): string | undefined => {
  const folder = join(peerFolder, `venv-${name}`)
  const program = join(folder, "bin", name)
  if (existsSync(program)) return program
  console.error(`installing ${requirement} into ${folder}, once`)
  mkdirSync(peerFolder, { recursive: true })
  const isThere =
    succeeded("python3", ["-m", "venv", folder]) &&
    succeeded(join(folder, "bin", "python"), ["-m", "pip", "install", "--quiet", requirement])
  return isThere ? program : undefined
}

export const dvc = (): string | undefined => pipTool("dvc", "dvc[s3]==3.67.1")

/** Commands by what they move: a file or all files of a folder, to an address in the bucket or from there. */
export interface Contender {
  readonly name: string
  readonly fileUp: (file: string, key: string) => ReadonlyArray<string>
  readonly fileDown: (key: string, file: string) => ReadonlyArray<string>
  readonly folderUp: (folder: string, key: string) => ReadonlyArray<string>
  readonly folderDown: (key: string, folder: string) => ReadonlyArray<string>
}

const peer = (
  name: string,
  program: string | undefined,
  commands: (program: string, bucket: string) => Omit<Contender, "name">
) => (program === undefined ? [] : [(bucket: string): Contender => ({ name, ...commands(program, bucket) })])

const rcloneCommands = (rclone: string, { bucket, url }: S3TestServer): Omit<Contender, "name"> => {
  const place = (key: string) => `:s3,provider=Other,env_auth=true,endpoint="${url}":${bucket}/${key}`
  // Or it leaves out what lies there from the round before.
  const copying = (command: string, from: string, to: string) => [
    ...[rclone, "--config", "", command, from, to, "--ignore-times"],
    ...["--transfers", "32", "--checkers", "32"]
  ]
  return {
    fileUp: (file, key) => copying("copyto", file, place(key)),
    fileDown: (key, file) => copying("copyto", place(key), file),
    folderUp: (folder, key) => copying("copy", folder, place(key)),
    folderDown: (key, folder) => copying("copy", place(key), folder)
  }
}

/** Those that are to be had on this machine. */
export const peersOn = (server: S3TestServer): ReadonlyArray<Contender> => {
  const { bucket } = server
  const found = [
    ...peer("aws", pipTool("aws", "awscli==1.46.3"), (aws) => ({
      fileUp: (file, key) => [aws, "s3", "cp", "--quiet", file, `s3://${bucket}/${key}`],
      fileDown: (key, file) => [aws, "s3", "cp", "--quiet", `s3://${bucket}/${key}`, file],
      folderUp: (folder, key) => [aws, "s3", "cp", "--quiet", "--recursive", folder, `s3://${bucket}/${key}`],
      folderDown: (key, folder) => [
        aws,
        "s3",
        "cp",
        "--quiet",
        "--recursive",
        `s3://${bucket}/${key}`,
        folder
      ]
    })),
    ...peer("rclone", goTool("rclone", "github.com/rclone/rclone", "v1.71.0"), (rclone) =>
      rcloneCommands(rclone, server)
    ),
    ...peer("s5cmd", goTool("s5cmd", "github.com/peak/s5cmd/v2", "v2.3.0"), (s5cmd) => ({
      fileUp: (file, key) => [s5cmd, "cp", file, `s3://${bucket}/${key}`],
      fileDown: (key, file) => [s5cmd, "cp", `s3://${bucket}/${key}`, file],
      folderUp: (folder, key) => [s5cmd, "cp", `${folder}/`, `s3://${bucket}/${key}/`],
      folderDown: (key, folder) => [s5cmd, "cp", `s3://${bucket}/${key}/*`, `${folder}/`]
    }))
  ]
  return found.map((make) => make(bucket))
}

/** The bundle of `ours.ts`: Effect inside, the SDK beside, as in the program. */
export const builtOurs = (): string => {
  const outdir = join(packageRoot, "dist", "bench")
  buildSync({
    entryPoints: {
      ours: join(import.meta.dirname, "ours.ts"),
      s3LineWorker: join(packageRoot, "infra/stores/s3LineWorker.ts")
    },
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    external: ["@aws-sdk/*"],
    banner: {
      js: 'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url);'
    },
    logLevel: "warning"
  })
  return join(outdir, "ours.js")
}
