import type { Command, Presented, Saying, Verdict } from '../../protocol/terminal.ts'
import { fieldAt } from '../../protocol/terminal-iso8583/fields.ts'
import { deviceCodec, greet } from '../../protocol/terminal-iso8583/index.ts'
import { ringOf } from '../../protocol/terminal-iso8583/mac.ts'
import { join } from '../../protocol/terminal-iso8583/message.ts'
import { bytesOf } from '../../protocol/terminal-iso8583/values.ts'

/** Invented; the documentation's examples are signed with it. */
export const key = '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F'
export const otherKey = 'F'.repeat(64)
export const cardKey = 'C0'.repeat(32)
export const terminalCode = 'T0000001'
export const entropy = { nonce: 0, unixSeconds: 0 }
export const accepted: Verdict = { kind: 'accepted' }
/** 28 November 2026, 20:40:00 UTC. */
export const when = { unixSeconds: 1_795_898_400, ttlSeconds: 60 }

type Settings = Partial<Parameters<typeof deviceCodec>[0]> & { keys?: readonly string[] }

export const signOn: Saying<Presented> = { kind: 'login', terminalCode, stan: '000001', sentAt: '1128203059' }

/** A terminal, and the host's half that is bound to it by its sign-on. */
export function pair({ keys = [key], ...settings }: Settings = {}) {
  const device = deviceCodec({ terminalCode, key, ...settings })
  const { codec } = greet(device.encode(signOn), settings.carrier)
  return { device, codec: codec({ keys, cardKey }) }
}

const card: Presented = { track2: '4242424242424242D29122010000000000' }

/** A purchase; what is named is changed. */
export const purchase = (changes: Partial<Extract<Saying<Presented>, { kind: 'purchase' }>> = {}) => ({
  ...{ kind: 'purchase' as const, stan: '000002', sentAt: '1128203107', amountMinor: 15_000 },
  ...{ localTime: '233107', localDate: '1128', entryMode: '051', condition: '00', card, merchant: 'VOLTBAY' },
  ...changes,
})

export const command: Command = { kind: 'set_volume', stan: '000101', data: { volume: 40 } }

export const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase()

export const pan = '4242424242424242'

/** Any message, well signed, with nothing in front of it. */
export function signed(mti: number, said: Record<number, string>, by = key): Buffer {
  const parts = Object.entries(said).map(([number, text]) => {
    const bytes = bytesOf(fieldAt(Number(number))!, text)
    return { number: Number(number), bytes, start: 0, end: bytes.length }
  })
  return join(mti, parts, new Uint8Array(0), ringOf([by]).sign)
}

/** A purchase of a typed card, by its fields. */
export const sale: Record<number, string> = {
  ...{ 2: pan, 3: '000000', 4: '000000015000', 7: '1128203107', 11: '000002', 12: '233107', 13: '1128', 14: '2912' },
  ...{ 22: '011', 25: '00', 41: terminalCode, 49: '643' },
}
