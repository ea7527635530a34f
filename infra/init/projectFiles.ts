/** The files of a new project, and how they get there: never over what is there. */
import { constants } from "node:fs"
import { copyFile, mkdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"

/** A file from `infra/init/project`, or a text. */
export type ProjectFile =
  | { readonly path: string; readonly copyOf: string }
  | { readonly path: string; readonly text: string | Uint8Array }

const isThere = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "EEXIST"

/** Whether it was written: `false` where such a file is there already. */
export const writeFileOnce = async (folder: string, file: ProjectFile): Promise<boolean> => {
  const target = join(folder, file.path)
  await mkdir(dirname(target), { recursive: true })
  const written =
    "text" in file
      ? writeFile(target, file.text, { flag: "wx" })
      : copyFile(file.copyOf, target, constants.COPYFILE_EXCL)
  return written.then(
    () => true,
    (error) => {
      if (isThere(error)) return false
      throw error
    }
  )
}
