/** Two hundred changes, of which `npm test` makes the first. */
import { mutationSuite } from "../suites/mutations.ts"

mutationSuite(200)
