/** In which scope a run on GitHub Actions writes where nothing else is said. */
import { mainScope, type Scope } from "../../lib/storage/Signature.ts"

export interface GitHubEvent {
  readonly GITHUB_ACTIONS: string
  /** `refs/pull/7/merge` for a pull request, else a branch or a tag. */
  readonly GITHUB_REF: string
  /** The branch of the pull request that the run is for. */
  readonly GITHUB_HEAD_REF: string
}

/**
 * `pr/7` for pull request 7, else `main`. `undefined` where a pull request's run goes by the name of its base
 * (`pull_request_target`), so that it cannot be told whose code runs.
 */
export const scopeOnGitHub = (event: GitHubEvent): Scope | undefined => {
  if (event.GITHUB_ACTIONS !== "true") return mainScope
  const [, number] = /^refs\/pull\/(\d+)\//.exec(event.GITHUB_REF) ?? []
  if (number !== undefined) return `pr/${number}` as Scope
  return event.GITHUB_HEAD_REF === "" ? mainScope : undefined
}
