/** The sample policies on real servers: what a pull request's runner can do, and what it cannot. */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client
} from "@aws-sdk/client-s3"
import { assert, describe, it } from "vitest"
import { keyPairFrom, newSecret } from "../../../infra/signing/ed25519.ts"
import { minioMissing, startMinio } from "../../support/minio.ts"
import { keys, type S3TestServer } from "../../support/s3Process.ts"
import { startS3Server } from "../../support/s3Server.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, versitygwMissing } from "../../support/versitygw.ts"
import { binary as versitygwBinary } from "../../support/versitygwBinary.ts"
import { distillery, packageRoot } from "../cli/builtProgram.ts"

const call = promisify(execFile)
const policyFile = join(packageRoot, "infra", "deploy", "pull-requests.json")
const user = { id: "distillery-pr", secret: "pr-secret-123" }
const [mainKey, prKey] = [newSecret(), newSecret()]

const mc = join(dirname(versitygwBinary), "mc")

/** Makes the user and gives it the policy. */
type Admit = (server: S3TestServer) => Promise<void>

const admitByMinio: Admit = async ({ url }) => {
  const env = {
    ...process.env,
    MC_CONFIG_DIR: temporaryFolder(),
    MC_HOST_s: url.replace("://", `://${keys.id}:${keys.secret}@`)
  }
  for (const args of [
    ["policy", "create", "s", user.id, policyFile],
    ["user", "add", "s", user.id, user.secret],
    ["policy", "attach", "s", user.id, "--user", user.id]
  ]) {
    await call(mc, ["admin", ...args], { env })
  }
}

const clientOf = ({ url }: S3TestServer, { id, secret }: typeof user): S3Client =>
  new S3Client({
    endpoint: url,
    region: "us-east-1",
    credentials: { accessKeyId: id, secretAccessKey: secret },
    forcePathStyle: true
  })

/** versitygw knows no policies of users: the same statements, of the bucket and with whom they are about. */
const admitByVersitygw: Admit = async (server) => {
  const admin = ["admin", "-a", keys.id, "-s", keys.secret, "-er", server.url, "create-user"]
  await call(versitygwBinary, [...admin, "-a", user.id, "-s", user.secret, "-r", "user"])
  const policy = JSON.parse(readFileSync(policyFile, "utf8"))
  policy.Statement = policy.Statement.map((statement: object) => ({
    ...statement,
    Principal: { AWS: [user.id] }
  }))
  await clientOf(server, keys).send(
    new PutBucketPolicyCommand({ Bucket: server.bucket, Policy: JSON.stringify(policy) })
  )
}

const startVersitygwWithUsers = async (): Promise<S3TestServer> => {
  const iam = join(temporaryFolder(), "iam")
  mkdirSync(iam)
  return startS3Server({
    binary: versitygwBinary,
    args: (address, root) => {
      const flags = ["--port", address, "--region", "us-east-1", "--quiet", "--iam-dir", iam]
      return [...flags, "posix", root]
    },
    environment: { ROOT_ACCESS_KEY: keys.id, ROOT_SECRET_KEY: keys.secret }
  })
}

const statesIn = (stdout: string): ReadonlyArray<string> =>
  JSON.parse(stdout).jobs.map(({ state }: { readonly state: string }) => state)

const status = (error: { readonly $metadata?: { readonly httpStatusCode?: number } }): number | undefined =>
  error.$metadata?.httpStatusCode

/** Of a runner of pull request 7. */
const runnerOf = (server: S3TestServer) => ({
  ...server.environment,
  AWS_ACCESS_KEY_ID: user.id,
  AWS_SECRET_ACCESS_KEY: user.secret,
  DISTILLERY_STORE: `s3://${server.bucket}/distillery`,
  DISTILLERY_KEY: prKey,
  DISTILLERY_TRUST_KEYS: `${keyPairFrom(mainKey)!.keyId}@main`,
  GITHUB_ACTIONS: "true",
  GITHUB_REF: "refs/pull/7/merge",
  GITHUB_HEAD_REF: "fix"
})

const objectsOf = async (client: S3Client, Bucket: string): Promise<ReadonlyArray<string>> => {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "distillery/" }))
  return Contents.map(({ Key = "" }) => Key)
}

const refusals = async (server: S3TestServer) => {
  const client = clientOf(server, user)
  const objects = await objectsOf(client, server.bucket)
  const ofMain = objects.filter((key) => /\/objects\/\w+\/main\//.test(key))
  const folders = new Set(ofMain.map((key) => key.split("/")[2]))
  assert.includeMembers([...folders], ["manifests", "index", "latest", "runs"])
  const blob = objects.find((key) => key.includes("/blobs/"))!
  const at = (Key: string) => ({ Bucket: server.bucket, Key })
  const elsewhere = ["resume", "folds", "running", "leases"].map((one) => `distillery/objects/${one}/main/x`)
  const written = [...ofMain, ...elsewhere, "distillery/format.json", "other/x"]
  const refused = [
    ...written.map((key) => ({ what: `put ${key}`, send: new PutObjectCommand({ ...at(key), Body: "x" }) })),
    ...[...written, blob].map((key) => ({ what: `delete ${key}`, send: new DeleteObjectCommand(at(key)) }))
  ]
  for (const { send, what } of refused) {
    const answer = await client.send(send as PutObjectCommand).then(() => 200, status)
    assert.strictEqual(answer, 403, what)
  }
  assert.deepStrictEqual(await objectsOf(client, server.bucket), objects)
  for (const key of objects) await client.send(new GetObjectCommand(at(key)))
}

const policySuite = (server: S3TestServer, admit: Admit) => {
  it("lets a pull request take the main line's results, and make and find its own", async () => {
    await admit(server)
    const environment = runnerOf(server)
    const main = {
      ...server.environment,
      DISTILLERY_STORE: environment.DISTILLERY_STORE,
      DISTILLERY_KEY: mainKey
    }
    const first = await distillery(["run", "./scenes.ts", "--json"], { environment: main })
    assert.deepStrictEqual([first.code, statesIn(first.stdout)], [0, ["ran", "ran"]], first.stderr)
    const taken = await distillery(["run", "./scenes.ts", "--json"], { environment })
    assert.deepStrictEqual([taken.code, statesIn(taken.stdout)], [0, ["hit", "hit"]], taken.stderr)
    const flags = ["--set", "prepared.height=8", "--json"]
    const made = await distillery(["run", "./scenes.ts", ...flags], { environment })
    assert.deepStrictEqual([made.code, statesIn(made.stdout)], [0, ["hit", "ran"]], made.stderr)
    const found = await distillery(["run", "./scenes.ts", ...flags], { environment })
    assert.deepStrictEqual([found.code, statesIn(found.stdout)], [0, ["hit", "hit"]], found.stderr)
    const hidden = await distillery(["plan", "./scenes.ts", ...flags], { environment: main })
    assert.deepStrictEqual(statesIn(hidden.stdout), ["hit", "will-run"])
  }, 60_000)

  it(
    "refuses it to write or remove what is the main line's, or a blob to be removed",
    () => refusals(server),
    60_000
  )

  it("says so to a run that names a scope it may not write into", async () => {
    const environment = { ...runnerOf(server), DISTILLERY_SCOPE: "main" }
    const args = ["run", "./scenes.ts", "--set", "prepared.height=12"]
    const { code, stderr, stdout } = await distillery(args, { environment })
    assert.notStrictEqual(code, 0)
    assert.match(stdout + stderr, /credentials are not allowed to do this/)
  }, 60_000)

  it("cannot keep it from spoiling a blob, which the main line notices and heals", async () => {
    const client = clientOf(server, user)
    const spoilt = (await objectsOf(client, server.bucket)).filter((key) => key.includes("/blobs/"))
    for (const Key of spoilt)
      await client.send(new PutObjectCommand({ Bucket: server.bucket, Key, Body: "x" }))
    const main = { ...server.environment, DISTILLERY_STORE: `s3://${server.bucket}/distillery` }
    const environment = { ...main, DISTILLERY_KEY: mainKey }
    const seen = await distillery(["plan", "./scenes.ts", "--json"], { environment })
    assert.match(JSON.parse(seen.stdout).jobs[0].reason, /blob sha256:\w+ is missing or damaged/)
    const healed = await distillery(["run", "./scenes.ts", "--json"], { environment })
    assert.strictEqual(healed.code, 0, healed.stderr)
    const again = await distillery(["plan", "./scenes.ts", "--json"], { environment })
    assert.deepStrictEqual(statesIn(again.stdout), ["hit", "hit"])
  }, 60_000)
}

const versitygw = versitygwMissing ? undefined : await startVersitygwWithUsers()
const minio = minioMissing || !existsSync(mc) ? undefined : await startMinio()

const noVersitygw = describe.skipIf(versitygw === undefined)
noVersitygw(`the policy of pull requests on versitygw${skipNote}`, () =>
  policySuite(versitygw!, admitByVersitygw)
)
const noMinio = minio === undefined ? " (skipped: minio or mc is not there)" : ""
describe.skipIf(minio === undefined)(`the policy of pull requests on MinIO${noMinio}`, () =>
  policySuite(minio!, admitByMinio)
)
