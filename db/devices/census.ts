import type { Queryable } from '../postgres/connect.ts'
import { type DeviceKind, deviceKinds } from './words.ts'

const open = ['queued', 'sent'] as const

/** How many commands have no end yet, of each kind of device: those that wait to be sent, and those that were. */
export async function openCommands(
  q: Queryable,
): Promise<{ kind: DeviceKind; status: (typeof open)[number]; count: number }[]> {
  const rows = await q<{ kind: DeviceKind; status: string; count: number }[]>`
    select d.kind, c.status, count(*) as count from device_commands c join devices d on d.id = c.device_id
    where c.status in ('queued', 'sent') group by d.kind, c.status`
  return deviceKinds.flatMap((kind) =>
    open.map((status) => ({
      kind,
      status,
      count: rows.find((row) => row.kind === kind && row.status === status)?.count ?? 0,
    })),
  )
}
