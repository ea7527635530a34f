/** The parts of a classifier that see what its features are averaged to. */
import type { Classifier } from "../models/Classifier.ts"

const partOf = (weight: string): string => weight.slice(0, weight.lastIndexOf("."))

/**
 * The linear layer, and the last normalisation before it: that which closes the last residual block's branch
 * (beside it stands that of the shortcut), or the last one of a network without such blocks.
 */
export const lastParts = ({ auxiliary, weights }: Classifier): ReadonlyArray<string> => {
  const own = weights.filter(({ name }) => auxiliary?.weights.has(name) !== true)
  const closing = own.findLast(({ closesBranch }) => closesBranch === true)
  const normalization = closing ?? own.findLast(({ role }) => role === "running-mean")
  const linear = own.at(-1)!
  return [...(normalization === undefined ? [] : [partOf(normalization.name)]), partOf(linear.name)]
}
