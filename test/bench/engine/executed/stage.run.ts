import { Effect } from "effect"

export const run = ({ params }: { readonly params: { readonly value: number } }) =>
  Effect.succeed({ value: params.value })
