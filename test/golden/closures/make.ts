/**
 * Writes `golden.json`: what is hashed of the package in `sources.txt` for a job that names "two".
 *
 *   npx tsx test/golden/closures/make.ts
 *
 * A difference means that keys of results move: say so in CHANGELOG.md.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { closureFolder, goldenClosure } from "../../support/closureGolden.ts"

writeFileSync(join(closureFolder, "golden.json"), `${JSON.stringify(goldenClosure(), null, 2)}\n`)
