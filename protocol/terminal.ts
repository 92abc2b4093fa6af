/**
 * The words of a payment terminal. ISO 8583 is translated into these and back (`terminal-iso8583/`); nothing behind it knows
 * a byte, and nothing behind it ever holds a card number. Source: docs/protocol.md 7.
 */

import type { Codec as DeviceWide, Secrets as KeysOnly, Verdict as Plain } from './any-device.ts'

/** A card as everything behind the codec knows it. */
export interface Card {
  /** First six and last four digits: `424242******4242`. */
  masked: string
  /** HMAC-SHA256 of the digits under the house's card key, in hex: equal for equal cards, and tells nothing without the key. */
  fingerprint: string
  /** YYMM. */
  expiry?: string
  /** Card sequence number, three digits. */
  sequence?: string
}

/** A card as the terminal read it: typed digits, a stripe or contactless track, or a chip's data in hex. Simulators only. */
export type Presented =
  | { pan: string; expiry: string; sequence?: string }
  | { track2: string; sequence?: string }
  | { chip: string; sequence?: string }

/** What every message of a terminal says of itself. */
interface Spoken {
  /** Six digits; unique for a terminal and a day of its own calendar. */
  stan: string
  /** When it was sent, in UTC: MMDDhhmmss. */
  sentAt: string
  /** Said again, under the same STAN (an MTI that ends in 1). */
  isRepeat?: true
}

/** Money for a card. */
interface Sale<C> extends Spoken {
  amountMinor: number
  /** The terminal's own clock: hhmmss and MMDD. Kept as said, never an order of things; the day makes the STAN unique. */
  localTime: string
  localDate: string
  /** How the card was read, three digits: 051 chip, 071 and 072 contactless, 021 and 022 stripe, 011 typed. */
  entryMode: string
  /** Two digits; 00 is an ordinary sale. */
  condition: string
  card: C
  merchant?: string
}

/** The message that another one is about, as that one said it. */
export interface Original {
  /** `0200`, `0100` or `0220`. */
  mti: string
  stan: string
  sentAt: string
}

/** What a terminal and its host have each counted since they last agreed. Amounts in minor units. */
export interface Totals {
  credits: number
  creditsReversed: number
  debits: number
  debitsReversed: number
  creditsMinor: number
  creditsReversedMinor: number
  debitsMinor: number
  debitsReversedMinor: number
}

/** What a terminal says, whatever it says of cards. */
export type Saying<C> =
  | ({ kind: 'login'; terminalCode: string } & Spoken)
  | ({ kind: 'sign_off' } & Spoken)
  | ({ kind: 'heartbeat' } & Spoken)
  /** An authorisation holds the amount; an advice takes it, a reversal releases it. */
  | ({ kind: 'authorisation' } & Sale<C>)
  | ({ kind: 'purchase' } & Sale<C>)
  /** What has already happened: approved offline (`approval`), or completes what `rrn` or `original` names. */
  | ({ kind: 'advice'; rrn?: string; approval?: string; original?: Original } & Sale<C>)
  /** The original shall not have happened. `reason` as the terminal gives it: 17 customer, 21 no action, 68 no answer. */
  | ({ kind: 'reversal'; amountMinor: number; original: Original; reason?: string; isAdvice?: true } & Spoken)
  | ({ kind: 'totals'; localDate: string; totals: Totals } & Spoken)
  /** The answer to the command of this STAN: 00 done, anything else failed. */
  | { kind: 'result'; stan: string; sentAt: string; code: string; text?: string }

/** What a host hears. The last is well signed, says nothing that can be acted on, and is to be answered with its code. */
export type Report = Saying<Card> | { kind: 'unacceptable'; mti: string; stan?: string; code: ResponseCode }

/** The commands of a terminal. */
export const commandKinds = [
  'restart',
  'update_config',
  'update_software',
  'maintenance_on',
  'maintenance_off',
  'ping',
  'print_receipt',
  'set_volume',
  'set_server_address',
  'payment',
] as const

/** What we tell a terminal to do. */
export interface Command {
  kind: (typeof commandKinds)[number]
  /** The host's own number, six digits: the answer repeats it. */
  stan: string
  /** What the command needs: `{volume}`, `{host, port}` … */
  data?: Record<string, unknown>
  /** Said again; never a `restart`. */
  isRepeat?: true
}

/** What an answer can say (DE39). */
export const responseCodes = {
  '00': 'approved, done',
  '05': 'refused by the acquirer',
  12: 'invalid transaction: a processing code, currency, network code or message that is not spoken here',
  13: 'invalid amount, or another one than the original has',
  14: 'invalid card number',
  21: 'nothing was done: the reversal came before what it reverses, or the money has been given back already',
  30: 'format error: a field is missing or cannot be read',
  40: 'not supported: a PIN block (52), replacement amounts (95), a change of keys (70 = 101, 161)',
  51: 'not enough money',
  54: 'card expired',
  55: 'wrong PIN',
  58: 'not permitted to this terminal',
  61: 'above the limit',
  68: 'the acquirer did not answer in time: the host reverses by itself',
  91: 'the acquirer cannot be reached',
  94: 'this STAN has been used today for something else',
  95: 'the totals differ',
  96: 'our side failed: say it again',
  A0: 'the MAC is missing or wrong',
} as const

/** One of `responseCodes`. Integer keys would lose their quotes: `12` is written '12'. */
export type ResponseCode = `${keyof typeof responseCodes}`

/** What is said back. `accepted` is 00 and `refused` 58; the host's totals are said when they differ. */
export type Verdict = Plain | { kind: 'answered'; code: ResponseCode; rrn?: string; approval?: string; totals?: Totals }

/** What the codec of a terminal must know: its keys as 64 hex digits each, and the key of all fingerprints, likewise. */
export interface Secrets extends KeysOnly {
  cardKey: string
}

/** One terminal's translator. Holds the key in use and the last routing header. */
export type Codec = DeviceWide<Report, Command, Verdict>

/** What the first message of a connection tells before any key is known. */
export interface Greeting {
  terminalCode: string
  /** Binds the conversation; the sign-on must still be decoded, which verifies its MAC. */
  codec(secrets: Secrets): Codec
}

/** What the host said back, as the terminal hears it. `isSigned` is false for A0, the one answer that cannot be. */
export interface Heard {
  kind: 'answer'
  mti: string
  stan?: string
  code: string
  rrn?: string
  approval?: string
  /** Of an answer to totals: do they agree, and the host's own figures if not. */
  isInBalance?: boolean
  totals?: Totals
  isSigned: boolean
}

/** The terminal's half of a conversation. For simulators and tests. */
export interface DeviceCodec {
  /** @throws RangeError a value the wire cannot carry */
  encode(report: Saying<Presented>): Buffer
  /** @throws MalformedBody a wrong MAC, or nothing a host says */
  decode(frame: Buffer): Heard | Command
}
