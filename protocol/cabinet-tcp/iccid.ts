import { command } from '../define.ts'
import { text } from '../field.ts'

/** docs/protocol.md 3, 0x69. */
export const iccid = command({
  code: 0x69,
  name: 'query_iccid',
  kind: 'iccid',
  doc: 'The number of the SIM card. Filled up with `F` (or 0xFF) on some cards: stripped.',
  down: {},
  from: () => ({}),
  asks: () => ({ kind: 'iccid' }),
  up: { iccid: text },
  means: (body) => ({ kind: 'iccid', iccid: body.iccid.replace(/[Ff\xff]+$/, '') }),
  says: ({ iccid }) => ({ iccid }),
  examples: [
    { down: '', body: {} },
    {
      up: '0015383938363034323730393232383130333433393200',
      body: { iccid: '89860427092281034392' },
    },
  ],
})
