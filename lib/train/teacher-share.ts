/**
 * A teacher that is listened to more and more: its part of the loss grows over the first epochs, in steps, as
 * decoupled distillation's authors train (Zhao et al. 2022).
 */
import type { TrainingBatches } from "../data/batches.ts"
import type { Feeds } from "../tensor/Runtime.ts"

/** How much the teacher counts in an epoch (from 0), above 0 and up to 1. */
export const teacherShareIn = (epoch: number, warmupEpochs: number): number =>
  Math.min(1, (epoch + 1) / warmupEpochs)

/** The same batches, which feed the scalar `teacherShare` besides; with a warm-up of 0, as they are. */
export const withTeacherShare =
  (warmupEpochs: number) =>
  <I extends string>(batches: TrainingBatches<I>): TrainingBatches<I> => {
    if (warmupEpochs === 0) return batches
    const teacherShare = { shape: [], dtype: "float32" } as const
    return {
      ...batches,
      inputs: { ...batches.inputs, teacherShare },
      fill: (position, feeds: Feeds<I> & Partial<Feeds<"teacherShare">>) => {
        batches.fill(position, feeds)
        feeds.teacherShare![0] = teacherShareIn(position.epoch, warmupEpochs)
      }
    }
  }
