/** A family of cases: shapes, strides and paddings are drawn, and shrunk where one fails. */
import type { Schema } from "effect"
import type { KernelCase } from "./KernelCase.ts"

export interface KernelProperty {
  readonly name: string
  readonly geometry: Schema.Schema<unknown>
  readonly caseOf: (geometry: never) => KernelCase
  /** As of a case. */
  readonly heavy?: true
}

export const property = <A>(
  name: string,
  geometry: Schema.Schema<A>,
  caseOf: (geometry: A) => KernelCase
): KernelProperty => ({ name, geometry, caseOf })

export interface KernelGroup {
  readonly cases: ReadonlyArray<KernelCase>
  readonly properties: ReadonlyArray<KernelProperty>
}
