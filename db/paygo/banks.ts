/** Whose cards begin so: what people have most. The longest beginning counts. */
const issuers: readonly (readonly [beginning: string, bank: string])[] = [
  ['220220', 'Сбербанк'],
  ['4276', 'Сбербанк'],
  ['5469', 'Сбербанк'],
  ['220070', 'Т-Банк'],
  ['437772', 'Т-Банк'],
  ['437773', 'Т-Банк'],
  ['521324', 'Т-Банк'],
  ['553691', 'Т-Банк'],
  ['220015', 'Альфа-Банк'],
  ['415428', 'Альфа-Банк'],
  ['521178', 'Альфа-Банк'],
  ['220024', 'ВТБ'],
  ['427229', 'ВТБ'],
  ['220001', 'Газпромбанк'],
  ['220030', 'Райффайзен Банк'],
]

/** The bank a card number is of; null: not known. */
export const bankOf = (digits: string): string | null =>
  issuers.filter(([beginning]) => digits.startsWith(beginning)).sort(([a], [b]) => b.length - a.length)[0]?.[1] ?? null
