import { assert, it } from "@effect/vitest"
import type { TrainingBatches } from "../../../lib/data/batches.ts"
import { teacherShareIn, withTeacherShare } from "../../../lib/train/teacher-share.ts"

const batches: TrainingBatches<"images"> = {
  ...{ numExamples: 8, batchSize: 4, stepsPerEpoch: 2 },
  inputs: { images: { shape: [4], dtype: "float32" } },
  fill: ({ epoch, step }, feeds) => void feeds.images.fill(10 * epoch + step)
}

it("is the authors' min(epoch / warm-up, 1), epochs from 1", () => {
  const shares = [0, 1, 2, 3, 4].map((epoch) => teacherShareIn(epoch, 4))
  assert.deepStrictEqual(shares, [0.25, 0.5, 0.75, 1, 1])
  assert.strictEqual(teacherShareIn(0, 1), 1)
})

it("comes with a batch, which is otherwise the same; without a warm-up nothing does", () => {
  assert.strictEqual(withTeacherShare(0)(batches), batches)
  const fed = withTeacherShare(20)(batches)
  const feeds = { images: new Float32Array(4), teacherShare: new Float32Array(1) }
  assert.deepEqual<object>(fed.inputs, { ...batches.inputs, teacherShare: { shape: [], dtype: "float32" } })
  fed.fill({ epoch: 4, step: 1 }, feeds)
  assert.deepStrictEqual([feeds.images[0], feeds.teacherShare[0]], [41, 0.25])
})
