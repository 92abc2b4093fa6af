import * as commands from '../devices/commands.ts'
import { isReachable } from '../devices/connections.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { Refused } from './refused.ts'
import { assertInScope, of } from './scope.ts'
import { hasSlot } from './slot-counts.ts'

/** What an operator may ask a cabinet. Kinds and args are protocol's Command without change. */
export type Question =
  | {
      kind: 'restart' | 'inventory' | 'volume' | 'server_address' | 'iccid' | 'software_version'
      args?: Record<string, never>
    }
  | { kind: 'set_volume'; args: { level: number } }
  | { kind: 'set_server_address'; args: { host: string; port: string; heartbeatSeconds: number } }

interface Facts {
  status: string
  orgUnitId: number | null
  hasSlot: boolean
  online: boolean
}

/** The roles that speak to a cabinet; the units of those roles are where (docs/contracts.md 4.12). */
export const OPERATORS = ['group_admin', 'subgroup_admin'] as const

async function factsOf(q: Queryable, actor: Actor, stationId: number, slot = 1): Promise<Facts> {
  const [facts] = await q<Facts[]>`
    select s.status, s.org_unit_id, ${hasSlot(q, slot)} as has_slot, ${isReachable(q)} as online
    from stations s left join device_sessions ds on ds.device_id = s.id
    where s.id = ${stationId} and s.deleted_at is null`
  if (!facts) throw new Refused('station_not_found')
  assertInScope(await of(q, actor, ...OPERATORS), facts.orgUnitId)
  return facts
}

/** The command this key was used for before, if any. */
const before = (tx: Tx, actor: Actor, idempotency: commands.Idempotency | undefined) =>
  idempotency ? commands.replayed(tx, actor.userId, idempotency) : null

/**
 * Writes down what a cabinet shall be asked; it hears of it after the commit.
 * @returns the command's id
 * @throws Refused station_not_found, not_yours, device_offline, too_many_commands, idempotency_mismatch
 */
export async function ask(
  tx: Tx,
  actor: Actor,
  request: { stationId: number; question: Question; idempotency?: commands.Idempotency | undefined },
): Promise<number> {
  const { stationId, question, idempotency } = request
  const repeated = await before(tx, actor, idempotency)
  if (repeated !== null) return repeated
  const { online } = await factsOf(tx, actor, stationId)
  if (!online) throw new Refused('device_offline')
  const { kind, args = {} } = question
  const { id } = await commands.enqueue(tx, {
    deviceId: stationId,
    kind,
    args,
    requestedBy: actor.userId,
    origin: 'api',
    idempotency,
  })
  return id
}

/**
 * Has a slot opened whatever is in it. The closed order that says so is written with the cabinet's answer.
 * @returns the command's id
 * @throws Refused station_not_found, not_yours, slot_out_of_range, station_inactive, device_offline,
 *   too_many_commands, idempotency_mismatch
 */
export async function forceEject(
  tx: Tx,
  actor: Actor,
  request: { stationId: number; slot: number; idempotency?: commands.Idempotency | undefined },
): Promise<number> {
  const { stationId, slot, idempotency } = request
  const repeated = await before(tx, actor, idempotency)
  if (repeated !== null) return repeated
  const { status, hasSlot, online } = await factsOf(tx, actor, stationId, slot)
  if (!hasSlot) throw new Refused('slot_out_of_range')
  if (status !== 'active') throw new Refused('station_inactive')
  if (!online) throw new Refused('device_offline')
  const { id } = await commands.enqueue(tx, {
    deviceId: stationId,
    kind: 'force_eject',
    isMovement: true,
    slot,
    requestedBy: actor.userId,
    origin: 'api',
    idempotency,
  })
  return id
}
