/**
 * Cyrillic letters, and what stands for each in a key. Trigrams know only what the database's own alphabet calls a letter,
 * and the embedded one's has none but Latin: without this a search for a name would read every row. Several may share one
 * sign, for a key only finds rows; whether they have the word the text itself says.
 */
export const letters = 'абвгдеёжзийклмнопрстуфхцчшщъыьэюяңөү'
export const signs = 'abvgdee3ziyklmnoprstufhc4w6j1q398nou'

/** A word as keys have it. */
export const keyOf = (word: string): string =>
  [...word.toLowerCase()].map((letter) => signs[letters.indexOf(letter)] ?? letter).join('')
