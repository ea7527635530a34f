/** Words of POSIX shells. */

/** As one word, whatever it holds; without backslashes of our own, of which cron takes some away. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`
