/** Where peers are installed that are not part of this machine. */
import { homedir } from "node:os"
import { join } from "node:path"

export const peerFolder = process.env.PEER_BENCH_WORK ?? join(homedir(), ".cache", "distillery", "peer-bench")
