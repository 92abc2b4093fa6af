import { revoke } from '../devices/mqtt-credentials.ts'
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
  return await revoke(tx, actor, { deviceKind: 'cabinet', deviceId: station!.boxId })
}
