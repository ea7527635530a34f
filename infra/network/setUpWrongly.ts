/** Variables and files that say how to come to servers, and make no sense. */

export const wrongSetUp = "NETWORK_SET_UP"

/** An error whose words are shown as they are. */
export const setUpWrongly = (words: string): Error => Object.assign(new Error(words), { code: wrongSetUp })
