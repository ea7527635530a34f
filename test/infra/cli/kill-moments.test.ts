/** The first of the twenty moments that `test/soak/kill-moments.soak.ts` tries. */
import { killMomentsSuite } from "../../suites/killMoments.ts"

killMomentsSuite(6)
