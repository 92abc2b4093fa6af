import { createHash, createHmac } from 'node:crypto'
import * as accounts from '../../db/getpro/accounts.ts'
import * as panels from '../../db/getpro/panel.ts'
import { panelStatuses } from '../../db/getpro/words.ts'
import type { Outcome } from '../../db/messages/inbox.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { at, instant, isMac, maskMembers, whole, word } from './payload.ts'
import { accountOf, jsonOf, type Match, type Provider, type ReadEvent } from './provider.ts'

/** How a Remnawave panel proves itself, now and before. */
export interface PanelNotices {
  secrets: readonly string[]
  /** What happened longer ago is not acted upon; null: however long. */
  maxAgeSeconds: number | null
}

type Words = { kind: 'user'; telegramId: number | null; notice: panels.PanelNotice } | { kind: 'other'; event: string }

const signatureHeader = 'x-remnawave-signature'
const secondMs = 1_000
/** What opens somebody's access, or the panel itself. */
const secrets = ['trojanPassword', 'vlessUuid', 'ssPassword', 'subscriptionUrl', 'password', 'email', 'shortUuid']

/** Panels before 2.8 have the hours in the event's name. */
const hoursOnce: Record<string, number> = {
  'user.expires_in_72_hours': -72,
  'user.expires_in_48_hours': -48,
  'user.expires_in_24_hours': -24,
  'user.expired': 0,
  'user.expired_24_hours_ago': 24,
}

/** Hours after somebody's access ended, less than 0 before it; null: the event is not about that. */
function hoursOf(event: string, body: object): number | null {
  if (event !== 'user.expiration') return hoursOnce[event] ?? null
  const text = word(at(body, 'meta', 'expiration')) ?? ''
  return /^-?\d{1,5}$/.test(text) ? Number(text) : null
}

function wordsOf(body: object): Words {
  // `name` and `payload`: as a document has it, though no panel ever sent it.
  const event = word(at(body, 'event')) ?? word(at(body, 'name')) ?? 'nameless'
  if (!event.startsWith('user.')) return { kind: 'other', event }
  const data = at(body, 'data') ?? at(body, 'payload')
  const user = at(data, 'user') ?? data
  const status = panelStatuses.find((one) => one === at(user, 'status')) ?? null
  const panelUserId = word(at(user, 'id')) ?? word(at(user, 'uuid'))
  const about = { panelUserId, status, expiresAt: instant(at(user, 'expireAt')) }
  const notice = { event, user: about, hours: hoursOf(event, body), saidAt: instant(at(body, 'timestamp')) }
  return { kind: 'user', telegramId: whole(at(user, 'telegramId')), notice }
}

/** An event out of a body (docs/providers.md 6): what is sent again is the same bytes. @throws Unreadable */
function hear(raw: Buffer): ReadEvent<Words> {
  const words = wordsOf(jsonOf(raw))
  const content = createHash('sha256').update(raw).digest('hex')
  return { words, dedupKey: content, content, isState: false, isLater: true }
}

const ignored = (why: string): Outcome => ({ state: 'ignored', result: { status: 'ignored' }, why })

async function act(tx: Tx, maxAgeSeconds: number | null, words: Words, match?: Match): Promise<Outcome> {
  if (words.kind === 'other') return ignored(`no use for ${words.event}`)
  const { telegramId, notice } = words
  const matched = accountOf(match)
  const oldest = maxAgeSeconds === null ? null : Date.now() - maxAgeSeconds * secondMs
  if (oldest !== null && notice.saidAt && notice.saidAt.getTime() < oldest) return ignored('it happened too long ago')
  if (matched === undefined && telegramId === null) return ignored('it names nobody at Telegram')
  const account =
    matched === undefined ? await accounts.byTelegramId(tx, telegramId!) : await accounts.hold(tx, matched)
  if (!account) return { state: 'unmatched', result: { status: 'unmatched' }, why: 'USER_NOT_FOUND' }
  return await panels.hear(tx, account.id, notice)
}

/** A Remnawave panel: what becomes of its users. */
export function panel(config: PanelNotices): Provider<Words> {
  return {
    name: 'panel',
    isMatched: true,
    isAuthentic(raw, headers) {
      const given = headers.get(signatureHeader)
      const found = config.secrets.map((secret) => isMac(createHmac('sha256', secret).update(raw).digest(), given))
      return found.includes(true)
    },
    keep: (raw) => maskMembers(raw, secrets),
    hear,
    act: (tx, words, match) => act(tx, config.maxAgeSeconds, words, match),
  }
}
