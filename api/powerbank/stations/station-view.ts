import { z } from '@hono/zod-openapi'
import type { Actor } from '../../../db/platform/actor.ts'
import type { Queryable } from '../../../db/postgres/connect.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as stations from '../../../db/powerbank/stations.ts'
import { stationStatuses } from '../../../db/powerbank/words.ts'
import { published } from '../../resource.ts'

import { shown, Time, time } from '../surface.ts'

export const StationStatus = z.enum(stationStatuses)

/** A station as this surface shows it (docs/contracts.md 4.4). */
export const Station = z
  .object({
    station_id: z.int(),
    org_unit_id: z.int().nullable(),
    org_unit_name: z.string().nullable(),
    box_id: z.string(),
    iccid: z.string().nullable(),
    status: StationStatus,
    nik: z.string().nullable(),
    slots_declared: z.int(),
    total_ports: z.int(),
    occupied_ports: z.int(),
    free_ports: z.int(),
    remain_num: z.int().openapi({ description: 'Свободные слоты; то же, что free_ports' }),
    is_online: z.boolean().openapi({ description: 'Подключена, и сигнал не старше двух интервалов и 15 секунд' }),
    last_seen: Time.nullable(),
    last_inventory_at: Time.nullable(),
    clock_wrong_since: Time.nullable().openapi({
      description:
        'С этого времени станция (MQTT) считает свежие команды просроченными: её часы врут, выдавать она не будет',
    }),
    created_at: Time,
    updated_at: Time,
  })
  .openapi('Station')

/** The value of `Station`. */
export function toJson(station: stations.Station): z.infer<typeof Station> {
  const free = freeSlots(station)
  const { clock } = station.deviceState
  return published(Station, {
    ...shown(station),
    station_id: station.id,
    total_ports: station.slotsDeclared,
    occupied_ports: station.occupied,
    free_ports: free,
    remain_num: free,
    last_seen: time(station.seenAt),
    last_inventory_at: time(station.inventoryAt),
    clock_wrong_since: clock ? time(new Date(clock.wrongSince)) : null,
  })
}

/** Slots without a bank; a cabinet may list more banks than it was declared to have slots. */
export const freeSlots = ({ slotsDeclared, occupied }: stations.Station) => Math.max(0, slotsDeclared - occupied)

/**
 * A station the actor may see, or, with `roles`, may work on through one of them.
 * @throws Refused station_not_found, not_yours
 */
export async function stationOf(q: Queryable, actor: Actor, id: number, ...roles: string[]): Promise<stations.Station> {
  const station = await stations.find(q, id)
  if (!station) throw new Refused('station_not_found')
  scope.assertInScope(await scope.of(q, actor, ...roles), station.orgUnitId)
  return station
}
