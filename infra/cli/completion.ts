/** `distillery completion`: a script for the shell, and the names that it asks for while one types. */
import { Effect } from "effect"
import { Completions } from "effect/cli"
import { pipelines } from "../../pipelines/index.ts"
import { read } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { findPipeline } from "./findPipeline.ts"
import { finishedJobs, nameOf } from "./finishedJobs.ts"
import { Output } from "./Output.ts"
import { knownRuns } from "./runs.ts"

/** Flags whose value is a name of a job. */
const jobFlags = "--only|--from|--downstream|--to|--force|--job"

/**
 * Asks the program for names where the script made from the commands knows none: pipelines, jobs, results,
 * runs. Files complete beside pipelines.
 */
const bashNames = `
_distillery_names()
{
  local names
  names="$("\${COMP_WORDS[0]}" complete-names "$@" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$names" -- "\${cur##*,}"))
  [[ "$cur" == *,* ]] && COMPREPLY=("\${COMPREPLY[@]/#/\${cur%,*},}")
}

_distillery_with_names()
{
  local cur="$2" prev="$3" command="\${COMP_WORDS[1]}" pipeline="" i
  [[ "$cur" == "=" ]] && cur=""
  [[ "$prev" == "=" ]] && prev="\${COMP_WORDS[COMP_CWORD-2]}"
  for ((i = 2; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i-1]}" in -*|=) continue ;; esac
    case "\${COMP_WORDS[i]}" in -*|=) continue ;; esac
    pipeline="\${COMP_WORDS[i]}"
    break
  done
  if ((COMP_CWORD >= 2)) && [[ "$cur" != -* ]]; then
    case "$command $prev" in
      "run "*|"plan "*|"explain "*|"dag "*|"adopt "*|"log "*)
        case "$prev" in
          ${jobFlags}) _distillery_names jobs "$pipeline"; return ;;
        esac ;;
    esac
    case "$command" in
      run|plan|explain|dag|adopt)
        if [[ -z "$pipeline" && "$prev" != -* ]]; then
          _distillery_names pipelines
          COMPREPLY+=($(compgen -f -- "$cur"))
          return
        elif [[ "$command" == explain || "$command" == adopt ]] && [[ "$prev" != -* ]]; then
          _distillery_names jobs "$pipeline"
          return
        fi ;;
      show|lineage|predict|export)
        [[ -z "$pipeline" && "$prev" != -* ]] && { _distillery_names results; return; } ;;
      push|ls)
        [[ "$prev" != -* ]] && { _distillery_names results; return; } ;;
      log|diff)
        [[ "$prev" != -* ]] && { _distillery_names runs; return; } ;;
    esac
  fi
  _distillery "$@"
}

complete -o bashdefault -o default -F _distillery_with_names distillery
`

export interface CompletionFlags {
  readonly shell: Completions.Shell
}

export const completion = Effect.fn("completion")(function* ({ shell }: CompletionFlags) {
  const { print } = yield* Output
  // The commands load this module: a static import would be a cycle.
  const { distillery } = yield* Effect.promise(() => import("./commands.ts"))
  const script = Completions.generate("distillery", shell, Completions.fromCommand(distillery))
  yield* print([shell === "bash" ? `${script.trimEnd()}\n${bashNames}` : script.trimEnd()])
})

export interface NamesFlags {
  readonly kind: "pipelines" | "jobs" | "results" | "runs"
  readonly pipeline: string | undefined
}

const namesOfKind = Effect.fn("completeNames.ofKind")(function* ({ kind, pipeline }: NamesFlags) {
  if (kind === "pipelines") return Object.keys(pipelines)
  if (kind === "jobs") {
    return pipeline === undefined ? [] : (yield* findPipeline(pipeline)).jobs.map(({ name }) => name)
  }
  const settings = yield* read
  return yield* Effect.gen(function* () {
    if (kind === "results") return (yield* finishedJobs).map(nameOf)
    return ["latest", ...(yield* knownRuns(settings)).slice(0, 20)]
  }).pipe(Effect.provide(storageLayer(settings)))
})

/** One a line; nothing at all where something is wrong, as nobody asked. */
export const completeNames = Effect.fn("completeNames")(function* (flags: NamesFlags) {
  const { print } = yield* Output
  yield* print(yield* Effect.orElseSucceed(namesOfKind(flags), (): ReadonlyArray<string> => []))
})
