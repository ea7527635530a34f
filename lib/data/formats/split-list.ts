/** Lists of a dataset's splits: one example a line, its fields (names, paths, flags) apart by white space. */

/** The fields of every line but empty ones. Lines end in LF, CRLF or CR; `\s` counts byte order marks too. */
export const parseSplitList = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  text
    .split(/[\r\n]+/)
    .map((line) => line.split(/\s+/).filter((field) => field !== ""))
    .filter((fields) => fields.length > 0)
