/** The first of the two hundred changes that `test/soak/mutations.soak.ts` makes. */
import { mutationSuite } from "../../suites/mutations.ts"

mutationSuite(60)
