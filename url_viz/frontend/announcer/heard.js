// What of the words on several subjects is new.

/**
 * @param {Record<string, string>} before subject → the words that were said last
 * @param {Record<string, string>} words
 * @returns {{said: string[], now: Record<string, string>}} what is to be said, and what is known then
 */
export function heard(before, words) {
  const said = Object.keys(words).filter((subject) => words[subject] && words[subject] !== before[subject]);
  return { said: said.map((subject) => words[subject]), now: { ...before, ...words } };
}
