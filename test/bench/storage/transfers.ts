/** A large file and many small ones, up and down, beside the peers in turns. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { S3TestServer } from "../../support/s3Process.ts"
import { writeImages, writePipeline } from "../engine/inputs.ts"
import { median, type Row, row } from "../Row.ts"
import { builtOurs, type Contender, dvc, peersOn, type Spent, spent } from "./contenders.ts"
import { refOf } from "./moving.ts"
import { pseudoRandomFill } from "./randomFiles.ts"

export interface Place {
  readonly server: S3TestServer
  /** In front of the rows' names, where it is not the usual server. */
  readonly label: string
  /** For files of this benchmark; empty. */
  readonly folder: string
  readonly repeats: number
}

/** How much slower than this peer we may be. */
const allowance: { readonly [peer: string]: number } = { s5cmd: 1.3 }

interface Measured {
  readonly name: string
  readonly times: Array<Spent>
}

type Commands = (round: number) => ReadonlyArray<string>

/** In turns, so that what disturbs the machine disturbs all of them. */
const inTurns = (
  { repeats, server }: Place,
  commands: ReadonlyArray<readonly [name: string, command: Commands]>,
  before: () => void
): ReadonlyArray<Measured> => {
  const measured = commands.map(([name]): Measured => ({ name, times: [] }))
  for (let round = 0; round < repeats; round++) {
    for (const [index, [, command]] of commands.entries()) {
      before()
      measured[index]!.times.push(spent(command(round), server))
    }
  }
  return measured
}

const wall = ({ times }: Measured): number => median(times.map(({ wallSeconds }) => wallSeconds))

const rowsOf = (
  { label }: Place,
  name: string,
  [ours, ...peers]: ReadonlyArray<Measured>
): ReadonlyArray<Row> => [
  ...peers.map((peer) =>
    row({
      name: `${label}${name}`,
      value: wall(ours!),
      unit: "s",
      goal: wall(peer) * (allowance[peer.name] ?? 1),
      peer: peer.name,
      peerValue: wall(peer)
    })
  ),
  ...(peers.length === 0 ? [row({ name: `${label}${name}`, value: wall(ours!), unit: "s" })] : []),
  row({
    name: `${label}  ${name}: CPU time`,
    value: median(ours!.times.map(({ cpuSeconds }) => cpuSeconds)),
    unit: "CPU-s"
  }),
  row({
    name: `${label}  ${name}: largest process`,
    value: Math.max(...ours!.times.map(({ peakMebibytes }) => peakMebibytes)),
    unit: "MiB",
    goal: 300
  })
]

const byPeers = (peers: ReadonlyArray<Contender>, command: (peer: Contender) => Commands) =>
  peers.map((peer) => [peer.name, command(peer)] as const)

const largeBytes = 2 ** 30

/** One file of 1 GiB; it lies in the page cache, and what arrives does not wait for the disk. */
export const largeRows = (place: Place): ReadonlyArray<Row> => {
  const { folder, server } = place
  const ours = [process.execPath, builtOurs()]
  const peers = peersOn(server)
  const file = join(folder, "large")
  const arrived = join(folder, "arrived")
  const record = join(folder, "large.json")
  const bytes = pseudoRandomFill(largeBytes, 1)
  writeFileSync(file, bytes)
  writeFileSync(record, JSON.stringify(refOf(bytes)))
  const forget = () => rmSync(arrived, { force: true })
  const up = inTurns(
    place,
    [
      ["ours", () => [...ours, "up", "large", file, record]],
      ...byPeers(peers, (peer) => () => peer.fileUp(file, `${peer.name}/large`))
    ],
    () => undefined
  )
  const down = inTurns(
    place,
    [
      ["ours", () => [...ours, "down", "large", record, arrived]],
      ...byPeers(peers, (peer) => () => peer.fileDown(`${peer.name}/large`, arrived))
    ],
    forget
  )
  spent([...ours, "down", "large", record, arrived], server)
  if (!readFileSync(arrived).equals(bytes)) throw new Error("other bytes arrived")
  forget()
  rmSync(file)
  return [...rowsOf(place, "1 GiB up", up), ...rowsOf(place, "1 GiB down, verified", down)]
}

const numSmall = 2000

/** 2,000 files of 1 to 100 KiB, to a new place every time. */
export const smallRows = (place: Place): ReadonlyArray<Row> => {
  const { folder, server } = place
  const ours = [process.execPath, builtOurs()]
  const peers = peersOn(server)
  const small = join(folder, "small")
  mkdirSync(small)
  for (let nth = 0; nth < numSmall; nth++) {
    const sizeBytes = 1024 * (1 + ((nth * 37) % 100))
    writeFileSync(join(small, String(nth).padStart(4, "0")), pseudoRandomFill(sizeBytes, nth + 2))
  }
  const record = join(folder, "small.json")
  // Never where files were just deleted: ext4 keeps their inodes back for seconds, and looks at each of them
  // for every file that is made.
  const arrived = (name: string, round: number) => join(folder, `small-arrived-${name}-${round}`)
  const up = inTurns(
    place,
    [
      ["ours", (round) => [...ours, "publish", `small/${round}`, small, record]],
      ...byPeers(peers, (peer) => (round) => peer.folderUp(small, `small-${peer.name}/${round}`))
    ],
    () => undefined
  )
  const down = inTurns(
    place,
    [
      ["ours", (round) => [...ours, "read", `small/${round}`, record, arrived("ours", round)]],
      ...byPeers(
        peers,
        (peer) => (round) => peer.folderDown(`small-${peer.name}/${round}`, arrived(peer.name, round))
      )
    ],
    () => undefined
  )
  return [
    ...rowsOf(place, "2,000 small artifacts published", up),
    ...rowsOf(place, "2,000 small artifacts read, verified", down)
  ]
}

const program = join(import.meta.dirname, "../../../dist/main.js")
const numImages = 10_000

/** `dvc push` of images that are in its cache already; once, for it takes a minute. */
const dvcPush = ({ folder, server }: Place, images: string): number | undefined => {
  const program = dvc()
  if (program === undefined) return undefined
  const project = join(folder, "dvc")
  mkdirSync(project)
  const run = (...args: ReadonlyArray<string>) => spent(args, server, project)
  run("git", "init", "--quiet")
  run(program, "init", "--quiet")
  run("cp", "-r", images, join(project, "images"))
  run(program, "remote", "add", "--default", "store", `s3://${server.bucket}/dvc`)
  run(program, "remote", "modify", "store", "endpointurl", server.url)
  run(program, "add", "--quiet", "images")
  return run(program, "push", "--quiet").wallSeconds
}

/** Ours were ingested before, as dvc's were added: their shards lie in the store of the project. */
export const imageRows = (place: Place): ReadonlyArray<Row> => {
  const { folder, label, server } = place
  const project = join(folder, "project")
  writeImages(join(project, "images"), numImages, (nth) => 3000 + (nth % 2000))
  writePipeline(project)
  const distillery = (...args: ReadonlyArray<string>) => [process.execPath, program, ...args]
  spent(distillery("run", "images.ts", "--quiet"), server, project)
  const times = Array.from({ length: place.repeats }, (_, round) => {
    const to = `s3://${server.bucket}/images/${round}`
    return spent(distillery("push", "images", "--to", to), server, project).wallSeconds
  })
  const peerValue = dvcPush(place, join(project, "images"))
  return [
    row({
      name: `${label}push of 10,000 images`,
      value: median(times),
      unit: "s",
      ...(peerValue !== undefined && { goal: peerValue, peer: "dvc push", peerValue })
    })
  ]
}
