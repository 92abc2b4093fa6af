import { bare, command } from '../define.ts'
import { type Field, text } from '../field.ts'
import { iccidOf } from '../iccid.ts'

/** A String with whatever a modem prints around a number, line ends too; only the number leaves this file. */
const printed: Field<string> = {
  ...text,
  read: (parser, name) =>
    parser
      .uint16be(`$${name}`)
      .buffer(name, { length: `$${name}`, formatter: (bytes) => bytes.toString('latin1').replace(/\0+$/, '') }),
}

/** docs/protocol.md 3, 0x69. */
export const iccid = command({
  code: 0x69,
  name: 'query_iccid',
  ...bare('iccid'),
  doc: 'The number of the SIM card, as its modem prints it: the filler `F` (or 0xFF) and words like `OK` are left away, letters are capital.',
  up: { iccid: printed },
  means: (body) => ({ kind: 'iccid', iccid: iccidOf(body.iccid) ?? '' }),
  says: ({ iccid }) => ({ iccid }),
  examples: [
    { down: '', body: {} },
    {
      up: '0015383938363034323730393232383130333433393200',
      body: { iccid: '89860427092281034392' },
    },
  ],
})
