/** `npm run bench -- runtime --profile FOLDER`: where the time of each case goes, as tables and traces. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { chromeTrace, profileTable, type StepProfile } from "../../../infra/tensorflow/profile/StepProfile.ts"
import { nativeWith } from "../../support/runtimes.ts"
import type { Assignment } from "./cases.ts"
import { openStep } from "./openStep.ts"

const [skip, count] = [3, 5]

export const writeProfile = async (assignment: Assignment, folder: string, name: string): Promise<void> => {
  const profiles: Array<StepProfile> = []
  const profile = { skip, count, take: (taken: StepProfile) => profiles.push(taken) }
  await Effect.gen(function* () {
    const step = yield* openStep(assignment)
    yield* Effect.repeat(step, { times: skip + count - 1 })
  }).pipe(
    Effect.scoped,
    Effect.provide(nativeWith({ threads: assignment.threads, profile })),
    Effect.runPromise
  )
  mkdirSync(folder, { recursive: true })
  const best = leastOf(profiles)
  writeFileSync(join(folder, `${name}.txt`), profileTable(best))
  writeFileSync(join(folder, `${name}.trace.json`), chromeTrace(best))
}

/** Each node at its fastest: other processes disturb single runs. */
const leastOf = (profiles: ReadonlyArray<StepProfile>): StepProfile => {
  const [first] = profiles
  if (first === undefined) throw new Error("no run was profiled")
  const least = new Map<string, number>()
  for (const { durationMicros, node } of profiles.flatMap(({ nodes }) => nodes)) {
    least.set(node, Math.min(durationMicros, least.get(node) ?? Number.POSITIVE_INFINITY))
  }
  return {
    title: first.title,
    wallMillis: Math.min(...profiles.map(({ wallMillis }) => wallMillis)),
    nodes: first.nodes.map((node) => ({ ...node, durationMicros: least.get(node.node)! }))
  }
}
