import type { Report } from '../cabinet.ts'
import { report } from '../define.ts'
import { hex, oneOf, u8 } from '../field.ts'
import { bankB, bankOrNull, measured, recordB, slotB } from './slot.ts'

const result = oneOf({
  failed: 0,
  accepted: 1,
  bank_status_error: 2,
  duplicate: 3,
  unknown_bank: 4,
  slot_not_empty: 5,
})

// A return whose bank was not read says what 0x83 calls event 2: return detected, no power bank.
const nobody = (slot: number): Report => ({ kind: 'abnormal', event: 2, slot, bankId: null })

/** docs/protocol.md 3, 0x66. */
export const returnedA = report({
  code: 0x66,
  name: 'return',
  kind: 'returned',
  doc:
    'A bank came back. Answered 1 as soon as it is stored; strangers and duplicates are decided afterwards. ' +
    'Said again after a reconnect.',
  up: { slot: u8, bankId: hex(8) },
  means: ({ slot, bankId }) => (bankOrNull(bankId) ? { kind: 'returned', bank: { slot, bankId } } : nobody(slot)),
  says: ({ bank }) => ({ slot: bank.slot, bankId: bank.bankId }),
  down: { slot: u8, result },
  ack: ({ slot }, verdict) =>
    verdict.kind === 'silent'
      ? null
      : { slot, result: verdict.kind === 'accepted' ? ('accepted' as const) : ('failed' as const) },
  heard: ({ slot, ...body }) => ({ kind: 'acknowledged', report: 'returned', slot, result: result.code(body.result) }),
  examples: [
    { up: '02594C424895000611', body: { slot: 2, bankId: '594C424895000611' } },
    { down: '0201', body: { slot: 2, result: 'accepted' } },
  ],
})

const { slot, ...reading } = slotB
const example = { bankId: '4443484154000015', ...measured }

/** TCP-B sends a whole slot record and wants it back; what it measures is often not read yet (level 0, 2010 mV). */
export const returnedB = report({
  ...returnedA,
  up: slotB,
  means: (body) => (bankOrNull(body.bankId) ? { kind: 'returned', bank: bankB(body) } : nobody(body.slot)),
  says: ({ bank }) => recordB(bank),
  down: { slot, result, ...reading },
  ack: (body, verdict, entropy) => {
    const answer = returnedA.ack(body, verdict, entropy)
    return answer && { ...body, ...answer }
  },
  examples: [
    { up: '01444348415400001564102200001BC064', body: { slot: 1, ...example } },
    { down: '0101444348415400001564102200001BC064', body: { slot: 1, result: 'accepted', ...example } },
  ],
})
