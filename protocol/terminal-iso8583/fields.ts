/**
 * The fields of ISO 8583:1987, once: what each is called, what it is made of, how long it is, and whether it is a secret.
 * Everything else (decoder, encoder, explanation, documentation, tests) reads this table. docs/protocol.md 7.3.
 */

/** n digits · z track data · x+n a sign (C, D) and digits · an letters, digits, blanks · ans any text · b bytes. */
type Kind = 'n' | 'z' | 'x+n' | 'an' | 'ans' | 'b'

/** One data element. */
export interface Field {
  /** Its bit in the bitmaps. */
  number: number
  /** The standard's own words. */
  title: string
  kind: Kind
  /** Digits of n, z and x+n, bytes of all else: exactly so many, or at most where there is a length in front. */
  size: number
  /** Bytes of the length in front, packed BCD: none, 1 (LLVAR) or 2 (LLLVAR). */
  prefix: 0 | 1 | 2
  /** Card data: its bytes are overwritten once read, and nobody is shown them. */
  isSecret: boolean
}

type Row = [number: number, format: `${Kind} ${number}` | `${Kind} ${'..' | '...'}${number}`, title: string, 'secret'?]

/** Fields of one kind that only their numbers tell apart. */
const several = (from: number, to: number, format: Row[1], title: string): Row[] =>
  Array.from({ length: to - from + 1 }, (_, at) => [from + at, format, title])

const rows: Row[] = [
  [2, 'n ..19', 'Primary account number (PAN)', 'secret'],
  [3, 'n 6', 'Processing code'],
  [4, 'n 12', 'Amount, transaction'],
  [5, 'n 12', 'Amount, settlement'],
  [6, 'n 12', 'Amount, cardholder billing'],
  [7, 'n 10', 'Transmission date and time, MMDDhhmmss in UTC'],
  [8, 'n 8', 'Amount, cardholder billing fee'],
  [9, 'n 8', 'Conversion rate, settlement'],
  [10, 'n 8', 'Conversion rate, cardholder billing'],
  [11, 'n 6', 'System trace audit number (STAN)'],
  [12, 'n 6', 'Time, local transaction, hhmmss'],
  [13, 'n 4', 'Date, local transaction, MMDD'],
  [14, 'n 4', 'Date, expiration, YYMM'],
  [15, 'n 4', 'Date, settlement'],
  [16, 'n 4', 'Date, conversion'],
  [17, 'n 4', 'Date, capture'],
  [18, 'n 4', "Merchant's type"],
  [19, 'n 3', 'Acquiring institution country code'],
  [20, 'n 3', 'PAN extended country code'],
  [21, 'n 3', 'Forwarding institution country code'],
  [22, 'n 3', 'Point of service entry mode'],
  [23, 'n 3', 'Card sequence number'],
  [24, 'n 3', 'Network international identifier (NII)'],
  [25, 'n 2', 'Point of service condition code'],
  [26, 'n 2', 'Point of service PIN capture code'],
  [27, 'n 1', 'Authorization identification response length'],
  [28, 'x+n 8', 'Amount, transaction fee'],
  [29, 'x+n 8', 'Amount, settlement fee'],
  [30, 'x+n 8', 'Amount, transaction processing fee'],
  [31, 'x+n 8', 'Amount, settlement processing fee'],
  [32, 'n ..11', 'Acquiring institution identification code'],
  [33, 'n ..11', 'Forwarding institution identification code'],
  [34, 'ans ..28', 'Primary account number, extended', 'secret'],
  [35, 'z ..37', 'Track 2 data', 'secret'],
  [36, 'z ...104', 'Track 3 data', 'secret'],
  [37, 'an 12', 'Retrieval reference number (RRN)'],
  [38, 'an 6', 'Authorization identification response (approval code)'],
  [39, 'an 2', 'Response code'],
  [40, 'an 3', 'Service restriction code'],
  [41, 'ans 8', 'Card acceptor terminal identification'],
  [42, 'ans 15', 'Card acceptor identification code (merchant)'],
  [43, 'ans 40', 'Card acceptor name and location'],
  [44, 'ans ..25', 'Additional response data'],
  [45, 'ans ..76', 'Track 1 data', 'secret'],
  [46, 'ans ...999', 'Additional data, ISO'],
  [47, 'ans ...999', 'Additional data, national'],
  [48, 'ans ...999', 'Additional data, private'],
  [49, 'n 3', 'Currency code, transaction'],
  [50, 'n 3', 'Currency code, settlement'],
  [51, 'n 3', 'Currency code, cardholder billing'],
  [52, 'b 8', 'PIN data', 'secret'],
  [53, 'n 16', 'Security related control information'],
  [54, 'an ...120', 'Additional amounts'],
  [55, 'b ...999', 'Chip data: EMV tags in BER-TLV', 'secret'],
  ...several(56, 57, 'ans ...999', 'Reserved, ISO'),
  ...several(58, 59, 'ans ...999', 'Reserved, national'),
  [60, 'ans ...999', 'Private: type of a command'],
  [61, 'ans ...999', 'Private: data of a command, or what came of it'],
  ...several(62, 63, 'ans ...999', 'Reserved, private'),
  [64, 'b 8', 'Message authentication code (MAC)'],
  [66, 'n 1', 'Settlement code: 1 in balance, 2 out of balance'],
  [67, 'n 2', 'Extended payment code'],
  [68, 'n 3', 'Receiving institution country code'],
  [69, 'n 3', 'Settlement institution country code'],
  [70, 'n 3', 'Network management information code'],
  [71, 'n 4', 'Message number'],
  [72, 'n 4', 'Message number, last'],
  [73, 'n 6', 'Date, action'],
  [74, 'n 10', 'Credits, number'],
  [75, 'n 10', 'Credits, reversal number'],
  [76, 'n 10', 'Debits, number'],
  [77, 'n 10', 'Debits, reversal number'],
  [78, 'n 10', 'Transfer, number'],
  [79, 'n 10', 'Transfer, reversal number'],
  [80, 'n 10', 'Inquiries, number'],
  [81, 'n 10', 'Authorizations, number'],
  [82, 'n 12', 'Credits, processing fee amount'],
  [83, 'n 12', 'Credits, transaction fee amount'],
  [84, 'n 12', 'Debits, processing fee amount'],
  [85, 'n 12', 'Debits, transaction fee amount'],
  [86, 'n 16', 'Credits, amount'],
  [87, 'n 16', 'Credits, reversal amount'],
  [88, 'n 16', 'Debits, amount'],
  [89, 'n 16', 'Debits, reversal amount'],
  [90, 'n 42', 'Original data elements: MTI 4, STAN 6, field 7 10, acquirer 11, forwarder 11 (both may be zeros)'],
  [91, 'an 1', 'File update code'],
  [92, 'an 2', 'File security code'],
  [93, 'an 5', 'Response indicator'],
  [94, 'an 7', 'Service indicator'],
  [95, 'n 42', 'Replacement amounts'],
  [96, 'b 8', 'Message security code'],
  [97, 'x+n 16', 'Amount, net settlement'],
  [98, 'ans 25', 'Payee'],
  [99, 'n ..11', 'Settlement institution identification code'],
  [100, 'n ..11', 'Receiving institution identification code'],
  [101, 'ans ..17', 'File name'],
  [102, 'ans ..28', 'Account identification 1'],
  [103, 'ans ..28', 'Account identification 2'],
  [104, 'ans ...100', 'Transaction description'],
  ...several(105, 111, 'ans ...999', 'Reserved, ISO'),
  ...several(112, 119, 'ans ...999', 'Reserved, national'),
  ...several(120, 127, 'ans ...999', 'Reserved, private'),
  [128, 'b 8', 'Message authentication code (MAC)'],
]

function fieldOf([number, format, title, secret]: Row): Field {
  const [kind, size] = format.split(' ') as [Kind, string]
  const prefix = size.startsWith('...') ? 2 : size.startsWith('..') ? 1 : 0
  return { number, title, kind, size: Number(size.replace(/^\.+/, '')), prefix, isSecret: secret !== undefined }
}

/** All of them in the order of their numbers. 1 is the second bitmap; 65 would be a third, which nobody here speaks. */
export const fields: readonly Field[] = rows.map(fieldOf)

const byNumber: (Field | undefined)[] = Array.from({ length: 129 }, (_, at) => fields.find((one) => one.number === at))

/** Undefined: 1, 65, or no number of a field. */
export const fieldAt = (number: number): Field | undefined => byNumber[number]

/** The format as the standard writes it: `n 12`, `n ..19`, `ans ...999`. */
export const formatOf = ({ kind, size, prefix }: Field): string =>
  `${kind} ${prefix && '.'.repeat(prefix + 1)}${size}`.replace(' 0', ' ')

/** The bytes that so many digits or characters of a field take. */
export const widthOf = ({ kind }: Field, count: number): number => {
  if (kind === 'n' || kind === 'z') return (count + 1) >> 1
  return kind === 'x+n' ? 1 + ((count + 1) >> 1) : count
}
