/**
 * Requests that are worth a second try once something else was done: credentials that have run out, by the
 * server's clock or because somebody withdrew them, are fetched anew; a bucket is followed to its region.
 */
import type { S3Client } from "@aws-sdk/client-s3"
import { isExpired, regionIn, type S3Failure } from "./s3Errors.ts"

interface Tried {
  readonly client: S3Client
  /** Where buckets are is to be learned anew. */
  readonly forgetWays: () => void
}

type Identity = Awaited<ReturnType<S3Client["config"]["credentials"]>>

const isSame = (one: Identity, other: Identity): boolean =>
  one.accessKeyId === other.accessKeyId && one.sessionToken === other.sessionToken

/** Others may have done it while the answer was on its way. Where it cannot be done, the answer stands. */
const renew = async (config: S3Client["config"], used: Identity): Promise<boolean> => {
  try {
    const isFresh = !isSame(await config.credentials(), used)
    if (!isFresh) await config.credentials({ forceRefresh: true })
    return true
  } catch {
    return false
  }
}

/** All that a connection is asked for lies in one bucket. */
const move = async ({ client: { config }, forgetWays }: Tried, region: string): Promise<void> => {
  if ((await config.region()) === region) return
  config.region = async () => region
  forgetWays()
}

export const giveSecondTries = (tried: Tried): void => {
  const { config, middlewareStack } = tried.client
  middlewareStack.add(
    (next) => async (args) => {
      const used = await config.credentials().catch(() => undefined)
      try {
        return await next(args)
      } catch (error) {
        const failure = error as S3Failure
        const region = regionIn(failure)
        if (region !== undefined) await move(tried, region)
        const isRenewed = used !== undefined && isExpired(failure) && (await renew(config, used))
        if (region === undefined && !isRenewed) throw error
        return next(args)
      }
    },
    { step: "initialize", priority: "high", name: "secondTry" }
  )
}
