/** Functions and classes of the process, replaced by ones that tell of every use and then do their work. */
import type { LeakKind } from "../../lib/workflow/Leak.ts"

// biome-ignore lint/complexity/noBannedTypes: any function of the platform, whatever it takes
type AnyFunction = Function

/** Tells of a use. `cut` is the function that was called: the calls above it say who did. */
export type Tell = (kind: LeakKind, what: string, cut: (...args: never) => unknown) => void

/** What to say of a call; `undefined` where this call reads nothing that matters. */
export type Say = (args: ReadonlyArray<unknown>) => string | undefined

export interface Trap {
  readonly tell: Tell
  readonly kind: LeakKind
  readonly say: Say
}

/** Replaces a method; one that does not exist here, or cannot be replaced, stays away. */
export const trapMethod = (owner: object, name: string, { kind, say, tell }: Trap): void => {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name)
  const original: unknown = descriptor?.value
  if (typeof original !== "function" || descriptor?.configurable === false) return
  const trapped = function (this: unknown, ...args: ReadonlyArray<unknown>): unknown {
    const what = say(args)
    if (what !== undefined) tell(kind, what, trapped)
    return Reflect.apply(original as AnyFunction, this, args as Array<unknown>)
  }
  Object.defineProperties(trapped, Object.getOwnPropertyDescriptors(original))
  Object.defineProperty(owner, name, { ...descriptor, value: trapped })
}

/** `title` stands before the method's name in what is told: `os.hostname()`. */
export const trapMethods = (
  owner: object,
  names: ReadonlyArray<string>,
  { title, ...trap }: Omit<Trap, "say"> & { readonly title: string }
): void => {
  for (const name of names) trapMethod(owner, name, { ...trap, say: () => `${title}.${name}()` })
}

/** Replaces a class: both `new C(…)` and `C(…)` tell. */
export const trapClass = (owner: object, name: string, { kind, say, tell }: Trap): void => {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name)
  const original: unknown = descriptor?.value
  if (typeof original !== "function") return
  const seen = (args: ReadonlyArray<unknown>, cut: (...args: never) => unknown) => {
    const what = say(args)
    if (what !== undefined) tell(kind, what, cut)
  }
  const construct = (target: AnyFunction, args: Array<unknown>, newTarget: AnyFunction): object => {
    seen(args, construct)
    return Reflect.construct(target, args, newTarget === proxy ? target : newTarget) as object
  }
  const apply = (target: AnyFunction, self: unknown, args: Array<unknown>): unknown => {
    seen(args, apply)
    return Reflect.apply(target, self, args)
  }
  const proxy: AnyFunction = new Proxy(original, { construct, apply })
  Object.defineProperty(owner, name, { ...descriptor, value: proxy })
}
