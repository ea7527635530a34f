/**
 * An `ObjectStore` on a prefix of a bucket: `<prefix>/objects/<key>` beside `<prefix>/format.json`, as in the
 * folder of a file store. A version is the object's ETag.
 */
import { Effect, Layer, Stream } from "effect"
import {
  ObjectNotFound,
  ObjectStore,
  type StoreError,
  StoreUnavailable,
  StoreUnusable
} from "../../lib/storage/ObjectStore.ts"
import { isObjectKey, keyRule } from "../../lib/storage/objectKeys.ts"
import { connect, type S3Connection } from "./s3Client.ts"
import { encryptWrites } from "./s3Encryption.ts"
import { openingFailure, type S3Server, translated } from "./s3Errors.ts"
import { decidesConditions, formatOf } from "./s3Format.ts"
import {
  type Attempt,
  get,
  head,
  listPage,
  type Opened,
  objectOf,
  partsOf,
  put,
  putStream,
  remove,
  sizes,
  upkeepOf
} from "./s3Objects.ts"
import { s3Stamps } from "./s3Stamps.ts"
import { fromSource } from "./sourceFailures.ts"
import type { Patience } from "./storeAbsence.ts"
import { formatFile, formatProblem } from "./storeFormat.ts"
import { type S3Place, s3Url } from "./storePlace.ts"
import { takingBack } from "./takingBack.ts"
import { withinTime } from "./withinTime.ts"

const make = (opened: Opened): ObjectStore["Service"] => {
  const { server } = opened
  const attempt: Attempt = (operation, key, sizeBytes, run) =>
    Effect.tryPromise({ try: run, catch: translated(server, { operation, key, sizeBytes }) })
  const known = <A>(operation: string, key: string, run: (signal: AbortSignal) => Promise<A>) =>
    isObjectKey(key) ? attempt(operation, key, 0, run) : Effect.fail(new ObjectNotFound({ key }))
  const headOf = (key: string) => known("look up", key, (signal) => head(opened, key, signal))
  const list: ObjectStore["Service"]["list"] = (prefix) =>
    Stream.paginate(undefined as string | undefined, (token) =>
      attempt("list", prefix, 0, (signal) => listPage(opened, prefix, token, signal))
    )
  return {
    location: server.location,
    isConditional: opened.isConditional,
    isLocal: false,
    get: (key, sizeBytesMax = Number.POSITIVE_INFINITY) =>
      known("read", key, (signal) => get(opened, key, { signal, limit: { key, sizeBytesMax } })),
    getStream: (key) =>
      Effect.map(headOf(key), (info) => ({
        sizeBytes: info.sizeBytes,
        chunks: partsOf(opened, attempt, info)
      })),
    head: headOf,
    stamps: (keys) => s3Stamps({ head: headOf, list }, keys),
    put: (key, bytes, condition) =>
      isObjectKey(key)
        ? takingBack(
            (signal) => put(opened, key, bytes, { condition, signal }),
            translated(server, { operation: "write", key, sizeBytes: bytes.length })
          )
        : Effect.fail(new StoreUnavailable({ operation: "write", key, reason: keyRule })),
    putStream: (key, source) =>
      isObjectKey(key)
        ? takingBack(
            (signal) => putStream(opened, key, source, signal),
            fromSource(translated(server, { operation: "write", key, sizeBytes: source.sizeBytes }))
          )
        : Effect.fail(new StoreUnavailable({ operation: "write", key, reason: keyRule })),
    remove: (key) =>
      known("remove", key, (signal) => remove(opened, key, signal)).pipe(
        Effect.catchTag("ObjectNotFound", () => Effect.void)
      ),
    ...upkeepOf(opened, attempt),
    list
  }
}

/** A command that cannot reach its store says so this soon: some of the SDK's waits know no end. */
const openingMillis = 8_000

const serverOf = ({ custom, proxy, server }: S3Connection, place: S3Place): S3Server => ({
  location: custom ? `${s3Url(place)} on ${server}` : s3Url(place),
  bucket: place.bucket,
  server,
  custom,
  proxy
})

const noStore = "there is no store there; correct the address"

/** The format must be ours; resolves to whether the server decides conditional writes. */
const check = async (opened: Opened, mustExist: boolean): Promise<boolean> => {
  const late = () => Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })
  return withinTime(
    openingMillis,
    async (signal) => {
      const { custom, location } = opened.server
      const format = { object: objectOf(opened, formatFile), sizes, signal }
      const text = await formatOf(
        format,
        mustExist ? new StoreUnusable({ location, reason: noStore }) : undefined
      )
      const reason = formatProblem(text, "prefix")
      if (reason !== undefined) throw new StoreUnusable({ location, reason })
      return decidesConditions(format, text, custom)
    },
    late
  )
}

export interface S3StoreOptions {
  readonly place: S3Place
  /**
   * Ask at once, with little patience, whether the store can be used. Not for a job: its parent has asked,
   * and the server may be away for a moment.
   */
  readonly checked: boolean
  /** Where there is no store yet, none is made. */
  readonly mustExist?: boolean
  /** How long it is waited for while it is away; without it for half a minute, in silence. */
  readonly patience?: Patience | undefined
}

const open = async ({ checked, mustExist = false, patience, place }: S3StoreOptions): Promise<Opened> => {
  const unknown = { location: s3Url(place), bucket: place.bucket, server: "Amazon S3", custom: false }
  const connection = await connect({ addressing: place.addressing }).catch((error: unknown) => {
    throw openingFailure(unknown)(error)
  })
  if (place.encryption !== undefined) encryptWrites(connection, place.encryption)
  const opened = { connection, place, server: serverOf(connection, place), isConditional: true }
  const isConditional =
    !checked ||
    (await check(opened, mustExist).catch((error: unknown) => {
      throw openingFailure(opened.server)(error)
    }))
  connection.bePatient(patience)
  return { ...opened, isConditional }
}

/** Fails with `StoreUnusable` for whatever keeps the store from being used now, if `checked`. */
export const s3ObjectStoreLayer = (options: S3StoreOptions): Layer.Layer<ObjectStore, StoreError> =>
  Layer.effect(
    ObjectStore,
    Effect.acquireRelease(
      Effect.tryPromise({ try: () => open(options), catch: (error) => error as StoreError }),
      ({ connection: { client, direct } }) =>
        Effect.sync(() => {
          client.destroy()
          direct.close()
        })
    ).pipe(Effect.map(make))
  )
