import * as inbox from '../../db/messages/inbox.ts'
import { ringSoon, storeNew } from '../../db/messages/inbox-batch.ts'
import { Refused } from '../../db/platform/refused.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { ApiConfig } from '../config.ts'
import { bitrix } from './bitrix.ts'
import { cryptopay } from './cryptopay.ts'
import { freekassa } from './freekassa.ts'
import { onec } from './onec.ts'
import { panel } from './panel.ts'
import type { PaymentApis } from './payment-apis.ts'
import { type Match, type Provider, type ReadEvent, Unreadable } from './provider.ts'
import { starsProvider } from './stars.ts'
import { tribute } from './tribute.ts'
import { yookassa } from './yookassa.ts'

/** Everyone who may be heard, by the name their webhook events are stored under. */
export type Providers = Partial<Record<Provider['name'], Provider>>

/** What of the settings says who is heard, and what their words mean. */
export type Hearing = Pick<ApiConfig, 'providers' | 'loyalty' | 'timeZone'>

/**
 * Whoever the settings know.
 * @param apis whom to ask for what is told; a process has one of each
 */
export function providersOf({ providers, loyalty, timeZone }: Hearing, apis: Pick<PaymentApis, 'yookassa'>): Providers {
  const { onec: clinic, bitrix: portal, notices } = providers
  const rules = { timeZone, isTestAllowed: false }
  const shop = notices.yookassa
  const api = shop?.isVerified ? apis.yookassa : null
  return {
    ...(clinic && { '1c': onec(clinic, loyalty.rules) }),
    ...(portal && { bitrix24: bitrix(portal) }),
    ...(shop && { yookassa: yookassa({ ...shop, api }, rules) }),
    ...(notices.cryptopay && { cryptopay: cryptopay(notices.cryptopay, rules) }),
    ...(notices.freekassa && { freekassa: freekassa(notices.freekassa, rules) }),
    ...(notices.tribute && { tribute: tribute(notices.tribute, rules) }),
    ...(notices.stars && { stars: starsProvider(notices.stars, rules) }),
    ...(notices.panel && { panel: panel(notices.panel) }),
  }
}

/** An authentic request as it came. */
export interface Told {
  raw: Buffer
  headers: Headers
  address: string
}

/** What of the headers is worth keeping; never a secret. */
const keptHeaders = ['content-type', 'user-agent']
const headerCharactersMax = 300

const kept = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    keptHeaders.flatMap((name) => {
      const value = headers.get(name)
      return value === null ? [] : [[name, value.slice(0, headerCharactersMax)]]
    }),
  )

/**
 * Stores a webhook event, or what should have been one. It is committed when this returns.
 * @throws Unreadable after it was stored as failed
 */
export async function take(db: Db, provider: Provider, told: Told) {
  const headers = kept(told.headers)
  const { name, keep } = provider
  const stored = { provider: name, raw: keep(told.raw, headers['content-type']), headers, address: told.address }
  let heard: ReadEvent<any>
  try {
    heard = provider.hear(stored.raw, headers)
  } catch (error) {
    if (error instanceof Unreadable) await db.transaction((tx) => inbox.keepUnread(tx, stored, error.message))
    throw error
  }
  const { dedupKey, content, isState, isLater } = heard
  const given = { ...stored, dedupKey, content, isState }
  const webhookEvent = await storeNew(db, given)
  if (webhookEvent) {
    if (isLater) ringSoon(db)
    return { webhookEvent, is: 'new' as const, isLater }
  }
  return await db.transaction(async (tx) => {
    const received = await inbox.receive(tx, given)
    if (isLater && received.is !== 'conflict') await inbox.ring(tx)
    return { ...received, isLater }
  })
}

function providerOf(providers: Providers, { provider }: inbox.WebhookEvent): Provider {
  const found = providers[provider as Provider['name']]
  if (!found) throw new Refused('invalid', `${provider} is not configured`)
  return found
}

/**
 * Works a stored webhook event: reads it again, asks the outside where it must, and acts. One that is done stays as it is.
 * @param match what it is about, where an operator says so
 * @throws Refused not_found, invalid (its provider is not configured), or what acting on it throws
 */
export const work = (db: Db, providers: Providers, id: number, match?: Match) =>
  inbox.work(
    db,
    id,
    async (stored) => {
      const provider = providerOf(providers, stored)
      if (match && !provider.isMatched) throw new Refused('invalid', `${provider.name} names whom it is about itself`)
      const { words } = provider.hear(stored.raw, stored.headers)
      const known = provider.look ? await provider.look(words) : words
      return (tx) => provider.act(tx, known, match)
    },
    { isAsked: match !== undefined },
  )

/**
 * Works a webhook event again that an operator names, and with `match` says what it is about. One that could not be read, or contradicted another, is received anew
 * first: it may be readable by now.
 * @throws Unreadable, Refused conflict (it still contradicts), and as `work` does
 */
export async function replay(db: Db, providers: Providers, id: number, match?: Match) {
  const stored = await inbox.get(db.sql, id)
  if (!stored) throw new Refused('not_found', `webhook event ${id}`)
  if (!inbox.isOpen(stored)) return { webhookEvent: stored as inbox.WebhookEvent, isWorked: false }
  const { dedupKey, content, isState } = providerOf(providers, stored).hear(stored.raw, stored.headers)
  if (dedupKey === stored.dedupKey) return await work(db, providers, id, match)
  const { provider, raw, headers, address } = stored
  const anew = await db.transaction(async (tx) => {
    const given = { provider, raw, headers, address, dedupKey, content, isState }
    const received = await inbox.receive(tx, given)
    if (received.is === 'conflict') throw new Refused('conflict', `webhook event ${id} contradicts one that was worked`)
    await inbox.supersede(tx, id, received.webhookEvent.id)
    return received.webhookEvent
  })
  return await work(db, providers, anew.id, match)
}
