/** Twenty moments, of which `npm test` tries the first. */
import { killMomentsSuite } from "../suites/killMoments.ts"

killMomentsSuite(20)
