import { bare, command } from '../define.ts'

/** docs/protocol.md 3, 0x67. */
export const restart = command({
  code: 0x67,
  name: 'restart',
  ...bare('restart'),
  doc: 'Restart the cabinet; the socket drops after the answer.',
  up: {},
  means: () => ({ kind: 'restart' }),
  says: () => ({}),
  examples: [
    { down: '', body: {} },
    { up: '', body: {} },
  ],
})
