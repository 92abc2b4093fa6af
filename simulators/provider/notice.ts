import { createHash, createHmac, randomUUID } from 'node:crypto'

/** What a provider sends: its bytes, and what proves that they are its. */
export interface Notice {
  headers: Record<string, string>
  body: Buffer
}

/** What a notice is about; each provider says it in its own words. */
export interface About {
  /** The provider's own name of the payment, invoice, charge or user. */
  id: string
  /** Ours: order, payload, `payment_db_id`. */
  order: string
  amountMinor: number
  currency: string
  telegramId: number
  at: Date
}

/** What a provider tells, and how it signs that. */
export interface Teller {
  /** Every kind there is, the usual ones first. */
  events: readonly string[]
  /** What is told of an event, unsigned. */
  body(event: string, about: About): string
  /** The bytes with the proof in or beside them. */
  sign(body: Buffer, secret: string): Notice
  /** Whether what was answered ends it; else it is told again. */
  isTaken(status: number, answer: string): boolean
}

const minorPerUnit = 100
const minorDigits = 2
const idDigits = 12

/** `29900` as `299.00`. */
export const decimal = (minor: number): string => {
  const rest = String(minor % minorPerUnit).padStart(minorDigits, '0')
  return `${Math.trunc(minor / minorPerUnit)}.${rest}`
}

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
export const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
/** Hex HMAC-SHA256. */
export const hmac = (key: string | Buffer, message: string | Buffer): string =>
  createHmac('sha256', key).update(message).digest('hex')

/** A number nobody has used, as text. */
export const freshNumber = (): string =>
  BigInt(`0x${randomUUID().replaceAll('-', '').slice(0, idDigits)}`)
    .toString()
    .slice(0, idDigits)

export const json = { 'content-type': 'application/json' }
export const isOk = (status: number): boolean => status === 200
export const isSuccess = (status: number): boolean => status >= 200 && status < 300
