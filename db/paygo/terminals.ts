import { createHash, randomInt, timingSafeEqual } from 'node:crypto'
import { ONLINE } from '../devices/connections.ts'
import * as keys from '../devices/keys.ts'
import { Refused } from '../devices/refused.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import { ringDevice } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { type Page, pageOf, unlessTaken } from '../postgres/rows.ts'
import type { PaymentMethod, TerminalCondition } from './words.ts'

const codeChars = 8
/** Without what is easily taken for something else. */
const codeAlphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** Field 41 of what a terminal says, and its name at a broker (docs/protocol.md 7.3). */
export const isTerminalCode = (text: string): boolean => /^[A-Z0-9]{8}$/.test(text)
/** 32 bytes as 64 hex digits (docs/protocol.md 7.4). */
export const isKey = (text: string): boolean => /^[0-9a-f]{64}$/i.test(text)

/** What somebody says about a new terminal. */
export interface NewTerminal {
  serial: string
  /** Unless given it is the serial where that looks like one, else made. */
  terminalCode?: string | undefined
  /** As `isKey` has it. */
  key: string
  name: string
  location: string
  address: string
  methods: readonly PaymentMethod[]
}

const madeCode = () => Array.from({ length: codeChars }, () => codeAlphabet[randomInt(codeAlphabet.length)]).join('')

/** The audit says that a key changed and whose it is, never a part of it. */
const note = (tx: Tx, actor: Actor | null, act: string, entityId: number, newValues: object | null = null) =>
  audit.record(tx, actor, 'paygo', { action: `terminal.${act}`, entityType: 'terminal', entityId, newValues })

/** What is refused is told without the value: it may be a key. @throws Refused invalid */
function assertKey(key: string): void {
  if (!isKey(key)) throw new Refused('invalid', 'key: 64 hex digits', { field: 'key' })
}

/**
 * Registers a terminal. One that knocked before leaves the quarantine: it will be let in when it dials again.
 * @throws Refused duplicate (serial or code), invalid (code, key)
 */
export async function create(
  tx: Tx,
  actor: Actor | null,
  { serial, key, name, location, address, methods, ...given }: NewTerminal,
  keysSecret: string,
): Promise<{ id: number; terminalCode: string }> {
  assertKey(key)
  const terminalCode = given.terminalCode ?? (isTerminalCode(serial) ? serial : madeCode())
  if (!isTerminalCode(terminalCode))
    throw new Refused('invalid', 'terminal_code: eight of A to Z and 0 to 9', { field: 'terminal_code' })
  const [device] = await unlessTaken(
    tx<{ id: number }[]>`insert into devices (kind, serial) values ('terminal', ${serial}) returning id`,
    { devices_serial: 'serial_number' },
  )
  const { id } = device!
  await unlessTaken(
    tx`
      insert into terminals (id, terminal_code, name, location, address, supported_payment_methods)
      values (${id}, ${terminalCode}, ${name}, ${location}, ${address}, ${[...methods]})`,
    { terminals_code: 'terminal_code' },
  )
  await keys.add(tx, actor, { deviceId: id, value: key.toUpperCase() }, keysSecret)
  await tx`delete from quarantine where kind = 'terminal' and box_id = ${terminalCode}`
  await note(tx, actor, 'create', id, { serial, terminalCode, name, location, address, methods })
  await record(tx, 'terminal.created', { data: { terminalId: id, serial, terminalCode } })
  return { id, terminalCode }
}

/** A terminal by what is written on it. @throws Refused not_found */
export async function bySerial(q: Queryable, serial: string): Promise<{ id: number; terminalCode: string }> {
  const [terminal] = await q<{ id: number; terminalCode: string }[]>`
    select t.id, t.terminal_code from terminals t join devices d on d.id = t.id
    where d.kind = 'terminal' and d.serial = ${serial} and d.deleted_at is null and t.deleted_at is null`
  if (!terminal) throw new Refused('not_found', `there is no terminal ${serial}`)
  return terminal
}

/**
 * Gives a terminal a second key: both are good for a day, in which the terminal is told.
 * @throws Refused not_found, invalid
 */
export async function addKey(
  tx: Tx,
  actor: Actor | null,
  { id, key }: { id: number; key: string },
  keysSecret: string,
): Promise<void> {
  assertKey(key)
  const stored = await keys.add(tx, actor, { deviceId: id, value: key.toUpperCase() }, keysSecret)
  await note(tx, actor, 'key', id, { keyId: stored.id })
}

/**
 * Lets a terminal in no more, and ends the line that it has. Said again it changes nothing.
 * @returns false: it was disabled already
 */
export async function disable(tx: Tx, actor: Actor | null, id: number): Promise<boolean> {
  const { count } = await tx`
    update terminals set is_active = false, updated_at = now() where id = ${id} and is_active and deleted_at is null`
  if (count === 0) return false
  await ringDevice(tx, id)
  await note(tx, actor, 'disable', id)
  await record(tx, 'terminal.disabled', { data: { terminalId: id } })
  return true
}

/** A terminal as operators see it; of its keys how they end. */
export interface ListedTerminal {
  id: number
  serial: string
  terminalCode: string
  name: string
  location: string
  address: string
  methods: PaymentMethod[]
  condition: TerminalCondition
  isActive: boolean
  isOnline: boolean
  seenAt: Date | null
  keys: { hint: string; validUntil: string | null }[]
}

/** One page, the oldest first. */
export function list(q: Queryable, at: { page: number; limit: number }): Promise<Page<ListedTerminal>> {
  const of = q`
    terminals t join devices d on d.id = t.id left join device_sessions ds on ds.device_id = t.id
    where t.deleted_at is null`
  const rows = q`
    select t.id, d.serial, t.terminal_code, t.name, t.location, t.address, t.supported_payment_methods as methods,
      t.condition, t.is_active, ${q.unsafe(ONLINE)} as is_online, ds.seen_at,
      coalesce((select jsonb_agg(jsonb_build_object('hint', k.key_hint, 'validUntil', k.valid_until) order by k.id desc)
        from device_keys k where k.device_id = t.id and (k.valid_until is null or k.valid_until > now())), '[]') as keys
    from ${of} order by t.id`
  return pageOf<ListedTerminal>(q, of, rows, at)
}

/** A terminal that dials, and the keys its messages may be signed with, newest first. */
export interface Dialling {
  terminalId: number
  serial: string
  isActive: boolean
  keys: string[]
}

/** SQL: the keys that the messages of a terminal (alias `t`) may be signed with, newest first, as they are kept. */
export const sealedKeys = (q: Queryable) => q`
  array(select key_ciphertext from device_keys
    where device_id = t.id and (valid_until is null or valid_until > now()) order by id desc limit 2)`

async function dialling(q: Queryable, is: ReturnType<Queryable>, keysSecret: string): Promise<Dialling | null> {
  const [terminal] = await q<(Omit<Dialling, 'keys'> & { sealed: string[] })[]>`
    select t.id as terminal_id, d.serial, t.is_active, ${sealedKeys(q)} as sealed
    from terminals t join devices d on d.id = t.id where ${is} and t.deleted_at is null`
  if (!terminal) return null
  const { sealed, ...known } = terminal
  return { ...known, keys: sealed.map((key) => keys.unseal(key, keysSecret)) }
}

/** Whose code is this? Null: nobody's. */
export const identify = async (q: Queryable, terminalCode: string, keysSecret: string): Promise<Dialling | null> =>
  isTerminalCode(terminalCode) ? await dialling(q, q`t.terminal_code = ${terminalCode}`, keysSecret) : null

const digest = (text: string) => createHash('sha256').update(text).digest()

/** If the password is one of its keys in hex. Compared in constant time; somebody unknown takes as long. */
function ifProven(known: Dialling | null, password: string): Dialling | null {
  const shown = digest(password.toUpperCase())
  const isRight = [...(known?.keys ?? []), ''].map((key) => timingSafeEqual(shown, digest(key))).includes(true)
  return isRight && password.length > 0 ? known : null
}

/**
 * Whose code is this, if the password is one of its keys in hex?
 * @returns null: nobody's, by whichever of the two
 */
export const identifyByKey = async (
  q: Queryable,
  { username, password }: { username: string; password: Buffer },
  keysSecret: string,
): Promise<Dialling | null> => ifProven(await identify(q, username, keysSecret), password.toString('latin1'))

/** The same by a terminal's number. */
export const identifyOwn = async (
  q: Queryable,
  { terminalId, key }: { terminalId: number; key: string },
  keysSecret: string,
): Promise<Dialling | null> => ifProven(await dialling(q, q`t.id = ${terminalId}`, keysSecret), key)
