/**
 * Kills children whose parent is gone: a child that computes cannot see by itself that its channel closed.
 *
 * One shell a run, in a group of its own, reads from a pipe which groups run. When the pipe closes, because
 * the parent ended by whatever signal, it kills those that are left, grandchildren included.
 */
import { type ChildProcess, spawn } from "node:child_process"

/** `groups` holds the ids between blanks. `+ 12` and `- 12` are the lines. */
const script = `
trap '' INT TERM HUP
groups=' '
while read -r what id; do
  case $what in
    +) groups="$groups$id " ;;
    -) case $groups in *" $id "*) groups="\${groups%% $id *} \${groups#* $id }" ;; esac ;;
  esac
done
for id in $groups; do kill -s KILL -- "-$id" 2>/dev/null; done
`

export interface OrphanGuard {
  /** From now on the group of this process does not outlive us. */
  readonly watch: (pid: number) => void
  readonly release: (pid: number) => void
  readonly close: () => void
}

/** Starts its shell with the first process it is to watch. Without a shell, children see it by themselves. */
export const makeOrphanGuard = (): OrphanGuard => {
  let shell: ChildProcess | undefined
  const start = (): ChildProcess => {
    const started = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true })
    started.on("error", () => undefined)
    started.stdin!.on("error", () => undefined)
    started.unref()
    return started
  }
  const write = (line: string): void => void shell?.stdin?.write(line)
  return {
    watch: (pid) => {
      shell ??= start()
      write(`+ ${pid}\n`)
    },
    release: (pid) => write(`- ${pid}\n`),
    close: () => {
      shell?.stdin?.end()
      shell = undefined
    }
  }
}
