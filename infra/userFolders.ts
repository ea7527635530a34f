/**
 * Folders of the user's that all their projects share. They follow from an environment that is handed in: the
 * launcher needs one before there are settings.
 */
import { homedir } from "node:os"
import { join, resolve } from "node:path"

interface Environment {
  readonly [name: string]: string | undefined
}

const given = (path: string | undefined): string | undefined =>
  path === undefined || path === "" ? undefined : resolve(path)

/** `$DISTILLERY_CACHE`, else `distillery` in the user's cache folder: what may be deleted at any time. */
export const cacheFolder = ({ DISTILLERY_CACHE, XDG_CACHE_HOME }: Environment): string =>
  given(DISTILLERY_CACHE) ?? join(given(XDG_CACHE_HOME) ?? join(homedir(), ".cache"), "distillery")

/** `distillery` in the user's configuration folder: keys, and whom the user trusts. */
export const userFolder = ({ XDG_CONFIG_HOME }: Environment): string =>
  join(given(XDG_CONFIG_HOME) ?? join(homedir(), ".config"), "distillery")
