import { afterwards } from '../../db/powerbank/aftermath.ts'
import { unspeakable } from '../../db/powerbank/answers.ts'
import { close } from '../../db/powerbank/cabinets.ts'
import type { Rules } from '../../db/powerbank/decide/snapshot.ts'
import { sweep } from '../../db/powerbank/janitor.ts'
import { lookWithin } from '../../db/powerbank/looks.ts'
import { holdStations } from '../../db/powerbank/station-lock.ts'
import type { Report } from '../../protocol/cabinet.ts'
import type { DeviceHandlers } from '../device-handlers.ts'
import { handle } from './reports.ts'

/** What a cabinet says and does not say, over any transport. Its station's id is its device's. */
export const cabinet = (rules: Rules, mayMatter: (frame: Buffer) => boolean): Omit<DeviceHandlers, 'recognise'> => ({
  kind: 'cabinet',
  handle: (tx, stationId, report: Report, hex) => handle(tx, stationId, report, hex, rules),
  misheard: { mayMatter, look: (tx, stationId) => lookWithin(tx, stationId, 0) },
  unspeakable,
  ended: afterwards,
  close: (tx, { deviceId, ...departure }) => close(tx, { stationId: deviceId, ...departure }),
  sweep,
  hold: holdStations,
})
