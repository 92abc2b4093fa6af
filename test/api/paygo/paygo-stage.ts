import { randomBytes } from 'node:crypto'
import { sign } from '../../../api/token.ts'
import * as identity from '../../../db/identity/identity.ts'
import * as password from '../../../db/identity/password.ts'
import type { Role } from '../../../db/identity/words.ts'
import { cardFingerprint } from '../../../db/paygo/fingerprints.ts'
import { settle } from '../../../db/paygo/settle.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import * as terminals from '../../../db/paygo/terminals.ts'
import { purchase, says } from '../../db/paygo/till.ts'
import { next } from '../../db/world.ts'
import type { startApiServer } from '../server.ts'

type House = Awaited<ReturnType<typeof startApiServer>>
export type Stage = Awaited<ReturnType<typeof stage>>
export type Person = Awaited<ReturnType<Stage['member']>>

/** Everybody's here. */
export const secret = 'password123'
const passwordHash = await password.hash(secret)
let people = 79_660_000_000

/** What the surface's tests make their worlds of. */
export function stage({ db, call, stage: ground }: Pick<House, 'db' | 'call' | 'stage'>) {
  const { config } = ground

  /** Somebody with a role on the surface (null: none), who has just logged in there with a password. */
  async function member(role: Role<'paygo'> | null = 'user', email = `g${++people}@example.com`) {
    const phone = `+${++people}`
    const { id, session } = await db.transaction(async (tx) => {
      const roles = role ? [{ surface: 'paygo' as const, role }] : []
      const id = await identity.createWithRoles(tx, { phone, email, fullName: 'Иван Иванов', passwordHash, roles })
      const about = { surface: 'paygo' as const, hours: 168, ip: null, userAgent: null }
      return { id, session: await identity.login(tx, id, about) }
    })
    const about = { surface: 'paygo', expiresAt: session.expiresAt }
    const token = await sign({ userId: id, sessionId: session.sessionId }, about, config.jwtSecret)
    return { id, userId: `user${id}`, email, phone, token, sessionId: session.sessionId }
  }

  const login = (email: string, plain = secret, more: object = {}) =>
    call('POST', '/api/v1/auth/login', { body: { email, password: plain, ...more } })

  /** A card number that nobody else has. */
  const number = () => `42764${String(next()).padStart(11, '0')}`
  const card = (card_number = number()) => ({
    card_number,
    expiry_month: 12,
    expiry_year: 2035,
    cvv: '987',
    cardholder_name: 'IVAN IVANOV',
  })
  /** A card that somebody keeps: its id as the surface spells it. */
  async function kept({ token }: { token: string }, card_number = number()): Promise<string> {
    const { body } = await call('POST', '/api/v1/cards', { token, body: card(card_number) })
    return body.id
  }

  return { db, call, config, member, login, number, card, kept, ...tills({ db, config }) }
}

/** Terminals, and what is paid at them. */
function tills({ db, config }: Pick<House, 'db'> & { config: House['stage']['config'] }) {
  /** A terminal, signed on unless it is not. */
  async function terminal({ isOnline = true } = {}) {
    const serial = `SN-${next()}`
    const key = randomBytes(32).toString('hex')
    const { id } = await db.transaction((tx) =>
      terminals.create(
        tx,
        null,
        {
          serial,
          key,
          name: 'Терминал №1',
          location: 'Торговый центр',
          address: 'ул. Пушкинская, 10',
          methods: ['nfc', 'qr_code', 'biometric'],
        },
        config.keysSecret,
      ),
    )
    if (isOnline)
      await db.sql`
        insert into device_sessions (device_id, node, epoch, dialect, connected_at, seen_at)
        values (${id}, 'node-1', 1, 'iso8583', now(), now())`
    return { id, terminalId: `terminal${id}`, serial, key }
  }

  /** Somebody pays at a terminal with a card of this number; what the acquirer says follows from the amount. */
  async function paid(terminalId: number, card_number: string, amountMinor = 150_000): Promise<number> {
    const fingerprint = cardFingerprint(card_number, config.cardKey)
    const masked = `${card_number.slice(0, 6)}******${card_number.slice(-4)}`
    const stan = String(next()).padStart(6, '0')
    const { told, messageId } = await says(
      db,
      terminalId,
      purchase(stan, amountMinor, { card: { masked, fingerprint } }),
    )
    await settle(db, simulatedAcquirer(db, { limitMs: 100, lateMs: 200 }), told)
    const [row] = await db.sql<{ transactionId: number }[]>`
      select transaction_id from terminal_messages where id = ${messageId}`
    return row!.transactionId
  }

  return { terminal, paid }
}
/** How every error of the surface looks. */
export const refusal = (status: number, error_code: string) => ({ status, body: { error_code } })
