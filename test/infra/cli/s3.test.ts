/** Artifacts in a bucket, through the program as people call it. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, createServer, type Server } from "node:net"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { newSecret } from "../../../infra/signing/ed25519.ts"
import { type FaultyProxy, startFaultyProxy } from "../../support/faultyProxy.ts"
import { sleep } from "../../support/processes.ts"
import { keys } from "../../support/s3Process.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"
import { distillery, pipelineFile, project, start } from "./builtProgram.ts"

const server = versitygwMissing ? undefined : await startVersitygw()
const proxy = (server === undefined ? undefined : await startFaultyProxy(server.url)) as FaultyProxy

/** No more than this is known: nobody's own keys and profiles. */
const environment = {
  HOME: temporaryFolder(),
  DISTILLERY_CACHE: join(project, "cache"),
  DISTILLERY_STORE: `s3://${server?.bucket}/cli`,
  AWS_EC2_METADATA_DISABLED: "true",
  ...server?.environment
}

const statesIn = (stdout: string): ReadonlyArray<string> =>
  JSON.parse(stdout).jobs.map((job: { readonly state: string }) => job.state)

/** A port on which somebody listens, until the file ends. */
const listening = async (listener: Server): Promise<number> => {
  await new Promise<void>((resolve) => listener.unref().listen(0, "127.0.0.1", resolve))
  afterAll(() => listener.close())
  return (listener.address() as AddressInfo).port
}

const muteServer = createServer((socket) => socket.on("error", () => undefined))
const mute = `http://127.0.0.1:${await listening(muteServer)}`
const webServer = `http://127.0.0.1:${await listening(
  createHttpServer((_, response) => response.writeHead(404).end("<html>nothing here</html>"))
)}`

const wrongs: ReadonlyArray<
  readonly [what: string, wrong: { readonly [name: string]: string }, message: RegExp]
> = [
  [
    "a wrong secret",
    { AWS_SECRET_ACCESS_KEY: "wrong-secret" },
    /secret key does not fit the access key; check AWS_/
  ],
  ["a wrong access key", { AWS_ACCESS_KEY_ID: "nobody" }, /does not know the access key.*AWS_ACCESS_KEY_ID/],
  [
    "no credentials",
    { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" },
    /no credentials.*set AWS_ACCESS_KEY_ID/
  ],
  [
    "no such profile",
    { AWS_PROFILE: "absent", AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" },
    /no credentials for it.*AWS_PROFILE/
  ],
  [
    "a missing bucket",
    { DISTILLERY_STORE: "s3://absent/x" },
    /no bucket "absent"; make it.*or correct DISTILLERY_STORE/
  ],
  [
    "an endpoint where nobody listens",
    { AWS_ENDPOINT_URL: "http://127.0.0.1:1" },
    /127\.0\.0\.1:1 does not answer \(ECONNREFUSED\).*AWS_ENDPOINT_URL/
  ],
  [
    "an endpoint that says nothing",
    { AWS_ENDPOINT_URL: mute },
    /does not answer \(ETIMEDOUT\).*AWS_ENDPOINT_URL/
  ],
  [
    "a host that does not exist",
    { AWS_ENDPOINT_URL: "http://no-such-host.invalid" },
    /does not answer.*AWS_ENDPOINT_URL/
  ],
  ["a server of another kind", { AWS_ENDPOINT_URL: webServer }, /is no S3 server; check AWS_ENDPOINT_URL/],
  [
    "an address that is none",
    { AWS_ENDPOINT_URL: "127.0.0.1:9000" },
    /is no URL; let AWS_ENDPOINT_URL be http/
  ],
  [
    "TLS where there is none",
    { AWS_ENDPOINT_URL: server?.url.replace("http:", "https:") ?? "" },
    /TLS.*http:\/\//
  ],
  ["no region", { AWS_REGION: "" }, /no usable region is set; set AWS_REGION/]
]

describe.skipIf(server === undefined)(`a store on S3 that cannot be used${skipNote}`, () => {
  it.each(wrongs)(
    "%s is said at once, with what to do",
    async (_, wrong, message) => {
      const started = performance.now()
      const { code, stderr, stdout } = await distillery(["plan", "./toy.ts"], {
        environment: { ...environment, ...wrong }
      })
      assert.isBelow(performance.now() - started, 15_000)
      assert.deepStrictEqual([code, stdout], [2, ""], stderr)
      assert.match(stderr, /^error: The store at s3:\/\/[\w/]+( on \S+)? cannot be used: /)
      assert.match(stderr, message)
      assert.notMatch(stderr, /^\s+at /m)
      assert.notMatch(stderr, /secret123|wrong-secret/)
    },
    20_000
  )
})

describe.skipIf(server === undefined)(`a bucket in another region${skipNote}`, () => {
  it("is followed there", async () => {
    const { code, stderr, stdout } = await distillery(["plan", "./toy.ts"], {
      environment: { ...environment, AWS_REGION: "eu-west-1" }
    })
    assert.strictEqual(code, 0, stderr)
    assert.match(stdout, /scenes/)
  })
})

const second = temporaryFolder()

/** From images to a page: what a stage of each pool makes goes through the bucket. */
beforeAll(() =>
  pipelineFile(
    "reported",
    `const teacher = model(1)
const evaluation = evaluate.Evaluate({ params: {}, inputs: { model: teacher, dataset: prepared } })
const page = report.WriteReport({
  params: { title: "A toy", samples: 2 },
  inputs: { evaluations: { teacher: evaluation }, models: { teacher }, datasets: { teacher: prepared } }
})
const refs = { scenes, prepared, teacher, evaluation, report: page }
export const pipeline = Pipeline.make("reported", "a toy", refs)`
  )
)

describe.skipIf(server === undefined)(`a store on S3${skipNote}`, () => {
  it("keeps what one project makes for another: all hits, few requests each", async () => {
    const first = await distillery(["run", "./reported.ts", "--json"], { environment })
    assert.strictEqual(first.code, 0, first.stderr)
    assert.deepStrictEqual(new Set(statesIn(first.stdout)), new Set(["ran"]))

    const watched = { ...environment, AWS_ENDPOINT_URL: proxy.url, DISTILLERY_CACHE_DIR: "off" }
    const again = await distillery(["run", join(project, "reported.ts"), "--json"], {
      environment: watched,
      folder: second
    })
    assert.strictEqual(again.code, 0, again.stderr)
    const states = statesIn(again.stdout)
    assert.deepStrictEqual(new Set(states), new Set(["hit"]))
    const { report } = JSON.parse(again.stdout)
    assert.match(report, /^\//)
    assert.match(readFileSync(report, "utf8"), /<title>A toy/)
    // The store's format and the pipeline's index, and whether all that it names is there as it was; of the
    // report its page, data and two images.
    const { GET = [], HEAD = [], PUT = [] } = Object.groupBy(proxy.passed, ({ method }) => method)
    const numBlobs = GET.filter(({ path }) => path.includes("/blobs/")).length
    assert.deepStrictEqual([numBlobs, GET.length - numBlobs, PUT.length], [4, 2, 2])
    assert.isAtMost(HEAD.length, states.length + 15)
    const { store } = JSON.parse(again.stdout)
    assert.deepInclude(store, { objectsRead: 5, objectsWritten: 1, cacheHits: 0 })
  }, 60_000)

  it("reads nothing from the bucket that was made or read on this machine, and says so", async () => {
    const watched = { ...environment, AWS_ENDPOINT_URL: proxy.url }
    const blobsRead = async (...flags: ReadonlyArray<string>) => {
      const before = proxy.passed.length
      const run = await distillery(["run", join(project, "reported.ts"), ...flags], {
        environment: watched,
        folder: second
      })
      assert.strictEqual(run.code, 0, run.stderr)
      const [, here] = /store: .* looked up(?:; (\d+) blobs .* were here already)?$/m.exec(run.stderr) ?? [""]
      const passed = proxy.passed.slice(before)
      const fetched = passed.filter(({ method, path }) => method === "GET" && path.includes("/blobs/"))
      return [fetched.length, here]
    }
    assert.deepStrictEqual(await blobsRead(), [0, "4"])
    // Weights and images are here; what is small and stored once more is sent, not asked for.
    assert.strictEqual((await blobsRead("--force=evaluation"))[0], 0)
    const elsewhere = ["--cache-dir", join(second, "kept"), "--cache-size", "50MB"]
    assert.deepStrictEqual(await blobsRead(...elsewhere), [4, undefined])
    assert.deepStrictEqual(await blobsRead(...elsewhere), [0, "4"])
    assert.deepStrictEqual(await blobsRead("--cache-dir", "off"), [4, undefined])
  }, 60_000)

  it("serves its models", async () => {
    writeFileSync(
      join(second, "grey.pgm"),
      Buffer.concat([Buffer.from("P5 20 10 255\n"), Buffer.alloc(200, 128)])
    )
    const predicted = await distillery(["predict", "reported/teacher", "grey.pgm"], {
      environment,
      folder: second
    })
    assert.strictEqual(predicted.code, 0, predicted.stderr)
  }, 30_000)

  it("is looked after as a folder is: whose results they are, nothing to sweep, all sound", async () => {
    const called = (...args: ReadonlyArray<string>) => distillery(args, { environment })
    assert.match((await called("lineage", "reported/teacher")).stdout, /└─ dataset: reported\/scenes/)
    const swept = JSON.parse((await called("gc", "--older-than", "0d", "--yes", "--json")).stdout)
    assert.deepStrictEqual([swept.removed, swept.sizeBytes], [true, 0])
    const { code, stdout } = await called("verify")
    assert.deepStrictEqual([code, stdout.slice(0, 4)], [0, "ok  "])
    const doctor = JSON.parse((await called("doctor", "--json")).stdout)
    const store = doctor.checks.find((check: { name: string }) => check.name === "store")
    assert.strictEqual(store.state, "ok", store.text)
    for (const name of ["store network", "store clock", "store transfer", "store races", "store checksums"]) {
      const check = doctor.checks.find((one: { name: string }) => one.name === name)
      assert.strictEqual(check?.state, "ok", `${name}: ${check?.text}`)
    }
  }, 60_000)

  it("tells nobody a secret: not what is printed, nor what is stored, nor what is logged", async () => {
    const secrets = [keys.secret, newSecret(), "a-session-token"]
    const secretly = { ...environment, DISTILLERY_KEY: secrets[1]!, DISTILLERY_SCOPE: "user/secret" }
    const told: Array<string> = []
    for (const args of [
      ["run", "./reported.ts", "--force", "scenes"],
      ["run", "./reported.ts", "--json"],
      ["plan", "./reported.ts", "--json"],
      ["show", "latest", "--json"],
      ["doctor", "--json"],
      ["gc", "--json"],
      ["verify", "--json"]
    ]) {
      const { stderr, stdout } = await distillery(args, { environment: secretly })
      told.push(stdout, stderr)
    }
    const wrong = { ...secretly, AWS_SESSION_TOKEN: secrets[2]!, AWS_ENDPOINT_URL: "http://127.0.0.1:1" }
    const failed = await distillery(["run", "./reported.ts"], { environment: wrong })
    assert.strictEqual(failed.code, 2)
    told.push(failed.stderr)
    for (const folder of [server!.folder, join(project, ".distillery")]) {
      for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        told.push(file)
        const path = join(folder, file)
        if (statSync(path).isFile()) told.push(readFileSync(path, "latin1"))
      }
    }
    assert.isAbove(told.length, 50)
    for (const text of told) for (const secret of secrets) assert.notInclude(text, secret)
  }, 120_000)

  it("is found by a profile, too", async () => {
    const folder = temporaryFolder()
    const {
      AWS_ACCESS_KEY_ID: id,
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_ENDPOINT_URL: url,
      ...rest
    } = environment as never as Record<string, string>
    mkdirSync(join(folder, ".aws"))
    writeFileSync(
      join(folder, ".aws", "config"),
      "[profile here]\nregion = us-east-1\nservices = gateway\n" +
        `[services gateway]\ns3 =\n  endpoint_url = ${url}\n`
    )
    const credentials = `[here]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`
    writeFileSync(join(folder, ".aws", "credentials"), credentials)
    delete rest.AWS_REGION
    const { code, stderr } = await distillery(["plan", "./reported.ts"], {
      environment: { ...rest, HOME: folder, AWS_PROFILE: "here" }
    })
    assert.strictEqual(code, 0, stderr)
  }, 20_000)

  it("is shared by runs that start together: every job is computed once", async () => {
    const together = { ...environment, DISTILLERY_STORE: `s3://${server?.bucket}/together` }
    const runs = await Promise.all(
      [1, 2].map(() => distillery(["run", "./toy.ts", "--json"], { environment: together }))
    )
    for (const { code, stderr } of runs) assert.strictEqual(code, 0, stderr)
    const states = runs.flatMap(({ stdout }) => statesIn(stdout))
    assert.deepStrictEqual(states.sort(), ["hit", "hit", "hit", "hit", "ran", "ran", "ran", "ran"])
  }, 60_000)

  it("may be away for five seconds in the middle of a run: the run goes on", async () => {
    const flags = ["--set", "teacher.training.epochs=30", "--json"]
    const run = start(["run", "./long.ts", ...flags], environment)
    let [stdout, stderr] = ["", ""]
    let outage: Promise<void> | undefined
    run.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    run.stderr.on("data", (chunk) => {
      stderr += chunk
      if (stderr.includes("teacher: started") && outage === undefined) {
        outage = sleep(1_000).then(async () => {
          await server!.kill()
          await sleep(5_000)
          assert.isNull(run.exitCode, "it ended without its store")
          await server!.restart()
        })
      }
    })
    const code = await new Promise((resolve) => run.on("close", resolve))
    await outage
    assert.strictEqual(code, 0, stderr)
    assert.strictEqual(statesIn(stdout).at(-1), "ran")
  }, 90_000)
})
