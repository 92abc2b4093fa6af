import { bare, command } from '../define.ts'
import { text, u8, u8In } from '../field.ts'

const address = { host: text, port: text, heartbeatSeconds: u8In(1, 255) }

const example = {
  bytes: '000E3132312E34312E36302E32333200000538383838001E',
  body: { host: '121.41.60.232', port: '8888', heartbeatSeconds: 30 },
}

/** docs/protocol.md 3, 0x6A. */
export const serverAddress = command({
  code: 0x6a,
  name: 'query_server_address',
  ...bare('server_address'),
  doc: 'Where the cabinet dials; the answer is the body of a 0x63 request.',
  up: { ...address, heartbeatSeconds: u8 },
  means: (body) => ({ kind: 'server_address', ...body }),
  says: ({ host, port, heartbeatSeconds }) => ({ host, port, heartbeatSeconds }),
  examples: [
    { down: '', body: {} },
    { up: example.bytes, body: example.body },
  ],
})

/** docs/protocol.md 3, 0x63. */
export const setServerAddress = command({
  code: 0x63,
  name: 'set_server_address',
  kind: 'set_server_address',
  doc: 'Where to dial from the next restart (0x67) on. A wrong address loses the cabinet for good.',
  down: address,
  from: ({ host, port, heartbeatSeconds }) => ({ host, port, heartbeatSeconds }),
  asks: (body) => ({ kind: 'set_server_address', ...body }),
  up: {},
  means: () => ({ kind: 'set_server_address' }),
  says: () => ({}),
  examples: [
    { down: example.bytes, body: example.body },
    { up: '', body: {} },
  ],
})
