import { report } from '../define.ts'
import { hex, u8 } from '../field.ts'
import { bankOrNull, noBank } from './slot.ts'

/** docs/protocol.md 3, 0x83. */
export const abnormal = report({
  code: 0x83,
  name: 'slot_abnormal_report',
  kind: 'abnormal',
  doc: 'Event 1: a bank gone without an unlock command. Event 2: return detected, no power bank. Others are unknown.',
  up: { event: u8, slot: u8, bankId: hex(8) },
  means: ({ event, slot, bankId }) => ({ kind: 'abnormal', event, slot, bankId: bankOrNull(bankId) }),
  says: ({ event, slot, bankId }) => ({ event, slot, bankId: bankId ?? noBank }),
  down: {},
  ack: (_, verdict) => (verdict.kind === 'accepted' ? {} : null),
  heard: () => ({ kind: 'acknowledged', report: 'abnormal' }),
  examples: [
    { up: '01010000000000000000', body: { event: 1, slot: 1, bankId: '0000000000000000' } },
    { down: '', body: {} },
  ],
})
