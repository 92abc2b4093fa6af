import { revoke } from '../devices/mqtt-credentials.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { assertStation } from './station-keys.ts'
import { replaced } from './stations.ts'

/**
 * An operator ends what a station's cabinet shows to the broker, and with it its connection (docs/protocol.md 5.1).
 * @returns how many credentials were good until now; 0 when it was said before
 * @throws Refused station_not_found, not_yours
 */
export async function revokeOf(tx: Tx, actor: Actor, stationId: number): Promise<number> {
  await assertStation(tx, actor, stationId)
  const [station] = await tx<{ boxId: string }[]>`select box_id from stations where id = ${stationId}`
  await replaced(tx, stationId)
  const revoked = await revoke(tx, { kind: 'cabinet', serial: station!.boxId })
  if (revoked === 0) return 0
  const data = { deviceKind: 'cabinet', revoked }
  await record(tx, 'station.credentials_revoked', { stationId, data })
  await audit.record(tx, actor, 'powerbank', {
    action: 'station.revoke_credentials',
    entityType: 'station',
    entityId: stationId,
    newValues: data,
  })
  return revoked
}
