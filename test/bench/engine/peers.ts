/**
 * The peers' figures for the same graph (ten parallel chains of N stages), measured in the same run by the
 * scripts of `peer-bench`. Peers that are not installed are left out; its `setup.sh` installs them into
 * `PEER_BENCH_WORK`.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { peerFolder as work } from "../peerFolder.ts"

const run = promisify(execFile)
const root = join(import.meta.dirname, "../../..")

/** Beside the repository, or where the variable says. */
const scripts = process.env.PEER_BENCH ?? join(root, "..", "shared", "peer-bench")

export type PeerName = "turbo" | "wireit" | "snakemake" | "dvc" | "redun"

const isInstalled = (peer: PeerName): boolean =>
  existsSync(join(scripts, "bench.py")) &&
  existsSync(
    peer === "turbo" || peer === "wireit"
      ? join(work, "npm", "node_modules", ".bin", peer)
      : join(work, `venv-${peer}`, "bin", peer)
  )

export interface PeerFigures {
  /** CPU seconds of a run in which nothing changed, the least of some. */
  readonly noop: number
  /** CPU seconds of the first run, by stage. */
  readonly perStage: number
}

interface Line {
  readonly n: number
  readonly cold_cpu_s: number
  readonly noop_cpu_s?: number
}

/** `undefined` where the peer is not to be had here, or did not get through in time. */
export const peerFigures = async (
  peer: PeerName,
  numStages: number,
  timeoutSeconds = 300
): Promise<PeerFigures | undefined> => {
  if (!isInstalled(peer)) return undefined
  const args = [join(scripts, "bench.py"), peer, String(numStages), String(timeoutSeconds)]
  const { stdout } = await run("python3", args, { env: { ...process.env, PEER_BENCH_WORK: work } })
  const line = JSON.parse(stdout.trim().split("\n").at(-1)!) as Line
  if (line.noop_cpu_s === undefined) return undefined
  return { noop: line.noop_cpu_s, perStage: line.cold_cpu_s / line.n }
}
