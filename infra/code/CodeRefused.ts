/** Code that cannot be hashed: where in its module, and why. Who knows the module's path adds it. */
export class CodeRefused extends Error {
  readonly offset: number
  constructor(offset: number, reason: string) {
    super(reason)
    this.offset = offset
  }
}

/** The same with its place spelled out: `lib/half.ts:2: why`. */
export class CodeRefusedAt extends Error {}
