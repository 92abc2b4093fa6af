import { bare, command } from '../define.ts'
import { textOrHex } from '../field.ts'

/** docs/protocol.md 3, 0x62. */
export const softwareVersion = command({
  code: 0x62,
  name: 'query_software_version',
  ...bare('software_version'),
  doc: 'Never seen on the wire: the answer is read as a String if it has the shape of one, else kept as hex.',
  up: { version: textOrHex },
  means: ({ version }) => ({ kind: 'software_version', version: 'text' in version ? version.text : version.hex }),
  says: ({ version }) => ({ version: { text: version } }),
  examples: [
    { down: '', body: {} },
    { up: '0006312E302E3200', body: { version: { text: '1.0.2' } } },
    { up: '0102', body: { version: { hex: '0102' } } },
  ],
})
