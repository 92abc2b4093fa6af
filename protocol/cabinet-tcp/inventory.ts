import { bare, command } from '../define.ts'
import { records, u8 } from '../field.ts'
import { bankA, bankB, measured, recordA, recordB, recordsOf, slotA, slotB, slotsOf } from './slot.ts'

/** docs/protocol.md 3, 0x64. */
export const inventoryA = command({
  code: 0x64,
  name: 'query_inventory',
  ...bare('inventory'),
  doc: 'The only truth about what a cabinet holds. Records list occupied slots only, ascending.',
  up: { banks: records(slotA) },
  means: ({ banks }) => ({ kind: 'inventory', ...slotsOf(banks, bankA) }),
  says: (report) => ({ banks: recordsOf(report, recordA) }),
  examples: [
    { down: '', body: {} },
    {
      up: '0202524C3148940012910403524C33489B20007003',
      body: {
        banks: [
          { slot: 2, bankId: '524C314894001291', bars: 4 },
          { slot: 3, bankId: '524C33489B200070', bars: 3 },
        ],
      },
    },
  ],
})

/** TCP-B says first how many slots there are: `0800` is eight slots with nothing in them. */
export const inventoryB = command({
  ...inventoryA,
  up: { slots: u8, banks: records(slotB) },
  means: ({ slots, banks }) => ({ kind: 'inventory', slots, ...slotsOf(banks, bankB) }),
  says: ({ slots = 0, ...report }) => ({ slots, banks: recordsOf(report, recordB) }),
  examples: [
    { up: '0800', body: { slots: 8, banks: [] } },
    {
      up: '040101444348415400001664102200001E4064',
      body: {
        slots: 4,
        banks: [
          {
            ...{ slot: 1, bankId: '4443484154000016', ...measured },
            ...{ celsius: 30, status: { ...measured.status, inserted: false } },
          },
        ],
      },
    },
  ],
})
