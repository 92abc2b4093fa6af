import { z } from 'zod'
import * as contacts from '../../db/loyalty/contacts.ts'
import type { Outcome } from '../../db/messages/inbox.ts'
import { fetchContact } from './bitrix-rest.ts'
import { reference, words } from './fields.ts'
import { canonical, isOneOf, jsonOf, type Provider, type ReadEvent, textOf, Unreadable } from './provider.ts'

/** How Bitrix24 proves that it is it: one way, never either (docs/providers.md 8). */
export type BitrixConfig =
  | { mode: 'header'; tokens: readonly string[] }
  | {
      mode: 'application_token'
      tokens: readonly string[]
      /** The portal's own id; a webhook event of another portal is not ours. */
      memberId: string
      /** The portal's incoming webhook, to ask for contacts with; null: nobody is asked. */
      restUrl: string | null
    }

/** What Bitrix24 tells: a contact as it is now, that one changed, or something we have no use for. */
export type BitrixWords =
  | { kind: 'contact'; contact: contacts.Contact }
  | { kind: 'changed'; contactId: string }
  | { kind: 'gone'; contactId: string }
  | { kind: 'other'; event: string }

const tokenHeader = 'x-webhook-token'
const tokenField = 'auth[application_token]'
const memberField = 'auth[member_id]'
const idCharactersMax = 50
const nameCharactersMax = 100
const emailCharactersMax = 254
const phoneCharactersMax = 50
const eventCharactersMax = 100

const isForm = (contentType: string | null | undefined) =>
  /^\s*application\/x-www-form-urlencoded\b/i.test(contentType ?? '')
const formOf = (raw: Buffer) => new URLSearchParams(textOf(raw))
/** A field that is there exactly once; two of them are somebody's trick. */
const only = (form: URLSearchParams, name: string) => (form.getAll(name).length === 1 ? form.get(name) : null)

const emailPattern = z.email()
/** An address we can write to, or null: what a CRM has in the field may be anything. */
const emailOf = (text: string | null) => (text && emailPattern.safeParse(text).success ? text : null)

/** E.164 of a phone as people type it in Russia: `8 (999) 123-45-67`, `+7 999 1234567`, `9991234567`; else null. */
export function phoneOf(text: string | null): string | null {
  const digits = text?.replaceAll(/\D/g, '') ?? ''
  if (text?.trim().startsWith('+')) return /^[1-9]\d{9,14}$/.test(digits) ? `+${digits}` : null
  if (/^[78]\d{10}$/.test(digits)) return `+7${digits.slice(1)}`
  return /^9\d{9}$/.test(digits) ? `+7${digits}` : null
}

/** Somebody's contact in our words. The family name goes first, as in the document's examples. */
const contactOf = (of: {
  id: string
  email: string | null
  phone: string | null
  name: string | null
  lastName: string | null
}): contacts.Contact => ({
  bitrixId: of.id,
  email: emailOf(of.email),
  phone: phoneOf(of.phone),
  fullName: [of.lastName, of.name].filter(Boolean).join(' ') || null,
})

const Own = z.object({
  contact_id: reference(idCharactersMax),
  email: words(emailCharactersMax),
  phone: words(phoneCharactersMax),
  name: words(nameCharactersMax),
  last_name: words(nameCharactersMax),
})

/** The document's JSON, which somebody's own middleware sends (docs/contracts.md 3.6). */
function hearOwn(raw: Buffer): ReadEvent<BitrixWords> {
  const body = jsonOf(raw)
  const parsed = Own.safeParse(body)
  if (!parsed.success) throw new Unreadable('the body is not a contact', parsed.error.issues, body)
  const { contact_id: id, email, phone, name, last_name: lastName } = parsed.data
  const contact = contactOf({ id, email, phone, name, lastName })
  return {
    words: { kind: 'contact', contact },
    dedupKey: `contact ${id}`,
    content: canonical(contact),
    isState: true,
    isLater: false,
  }
}

/** A native outgoing webhook: which contact, and nothing of it (docs/providers.md 8). */
function hearNative(raw: Buffer): ReadEvent<BitrixWords> {
  const form = formOf(raw)
  const [event, contactId, ts] = [only(form, 'event'), only(form, 'data[FIELDS][ID]') ?? '', only(form, 'ts') ?? '']
  if (!event || event.length > eventCharactersMax || !/^[\w.]+$/.test(event)) throw new Unreadable('no event')
  if (!/^\d{0,15}$/.test(ts)) throw new Unreadable('no time')
  const dedupKey = [only(form, memberField) ?? '', event, contactId, ts].join(' ').slice(0, 300)
  const said = (words: BitrixWords) => ({ words, dedupKey, content: canonical(words), isState: false, isLater: true })
  if (!/^ONCRMCONTACT(ADD|UPDATE|DELETE)$/i.test(event)) return said({ kind: 'other', event })
  if (!/^\d{1,15}$/.test(contactId)) throw new Unreadable('no contact')
  return said({ kind: /DELETE$/i.test(event) ? 'gone' : 'changed', contactId })
}

function isAuthentic(config: BitrixConfig, raw: Buffer, headers: Headers): boolean {
  if (config.mode === 'header') return isOneOf(config.tokens, headers.get(tokenHeader))
  if (!isForm(headers.get('content-type'))) return false
  try {
    const form = formOf(raw)
    const isKnown = isOneOf(config.tokens, only(form, tokenField))
    return isOneOf([config.memberId], only(form, memberField)) && isKnown
  } catch (error) {
    if (error instanceof Unreadable) return false
    throw error
  }
}

/** What opens the portal: `auth[application_token]`, `auth[access_token]`, `AUTH_ID`, `REFRESH_ID`. */
const secretName = /token|auth_id|refresh_id|secret/i
const nameOf = (field: string) => new URLSearchParams(field).keys().next().value ?? ''

/** The form with every secret masked, however its name is spelt; the rest byte by byte. */
export function masked(raw: Buffer): Buffer {
  const fields = raw.toString('latin1').split('&')
  const kept = fields.map((field) => (secretName.test(nameOf(field)) ? `${field.split('=', 1)[0]}=***` : field))
  return Buffer.from(kept.join('&'), 'latin1')
}

const because = (result: contacts.Upserted): Outcome => {
  if (result.kind === 'success') return { state: 'done', result: { status: 'success', userId: result.userId } }
  if (result.kind === 'unreachable')
    return { state: 'ignored', result: { status: 'ignored' }, why: 'no email or phone' }
  return { state: 'failed', result: { status: 'conflict', reason: result.reason }, why: `conflict: ${result.reason}` }
}

/** Bitrix24: contacts, who become patients of the loyalty programme. */
export function bitrix(config: BitrixConfig): Provider<BitrixWords> {
  const restUrl = config.mode === 'application_token' ? config.restUrl : null
  return {
    name: 'bitrix24',
    isAuthentic: (raw, headers) => isAuthentic(config, raw, headers),
    keep: (raw, contentType) => (isForm(contentType) ? masked(raw) : raw),
    hear: (raw, headers) => (isForm(headers['content-type']) ? hearNative(raw) : hearOwn(raw)),
    async look(words) {
      if (words.kind !== 'changed' || restUrl === null) return words
      const fields = await fetchContact(restUrl, words.contactId)
      return fields ? { kind: 'contact', contact: contactOf(fields) } : { kind: 'gone', contactId: words.contactId }
    },
    async act(tx, words) {
      switch (words.kind) {
        case 'contact':
          return because(await contacts.upsert(tx, words.contact))
        case 'changed':
          return { state: 'unmatched', result: { status: 'accepted' }, why: 'BITRIX_WEBHOOK_URL is not set' }
        case 'gone':
          return { state: 'ignored', result: { status: 'ignored' }, why: 'the contact is gone; people stay' }
        case 'other':
          return { state: 'ignored', result: { status: 'ignored' }, why: `no use for ${words.event}` }
      }
    },
  }
}
