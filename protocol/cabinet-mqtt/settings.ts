import { MalformedBody } from '../errors.ts'
import { tail } from '../field.ts'
import { request, uplink } from './define.ts'
import { anything, decimal, word } from './json.ts'

/** Our loudest (cabinet.ts), and theirs. */
const levelMax = 15
const volumeMax = 100

/** docs/protocol.md 5.4; twice would be two restarts, so it is said at QoS 0. */
export const reboot = request({
  cmd: 'reboot',
  doc: 'Restart. No answer; the next connection is one.',
  kind: 'restart',
  members: {},
  answer: null,
  qos: 0,
  from: () => ({}),
  asks: () => ({ kind: 'restart' }),
  examples: [{ json: '{"cmd":"reboot"}', words: {} }],
})

/** docs/protocol.md 5.4. */
export const volume = request({
  cmd: 'volume',
  doc: 'Set how loud the cabinet speaks, in percent. No answer.',
  kind: 'set_volume',
  members: { percent: decimal('data', 0, volumeMax) },
  answer: null,
  qos: 1,
  from(command) {
    const level = command.kind === 'set_volume' ? command.level : Number.NaN
    if (!(Number.isInteger(level) && level >= 0 && level <= levelMax)) throw new RangeError(`${level} is no volume`)
    return { percent: Math.round((level * volumeMax) / levelMax) }
  },
  asks: ({ percent }) => ({ kind: 'set_volume', level: Math.round((percent * levelMax) / volumeMax) }),
  examples: [{ json: '{"cmd":"volume","data":"67"}', words: { percent: 67 } }],
})

/** docs/protocol.md 5.4. */
export const loadAd = request({
  cmd: 'load_ad',
  doc: 'Fetch the advertisements anew. No answer.',
  kind: null,
  members: {},
  answer: null,
  qos: 1,
  examples: [{ json: '{"cmd":"load_ad"}', words: {} }],
})

/** docs/protocol.md 5.4. */
export const setMode = request({
  cmd: 'setMode',
  doc: 'Which way the cabinet reaches the network. No answer.',
  kind: null,
  members: { mode: word('data', 'wifi', '4g') },
  answer: null,
  qos: 1,
  examples: [{ json: '{"cmd":"setMode","data":"4g"}', words: { mode: '4g' } }],
})

/** docs/protocol.md 5.4. */
export const getWifi = request({
  cmd: 'getWifi',
  doc: 'Which wireless networks the cabinet hears.',
  kind: null,
  members: {},
  answer: 0xcf,
  qos: 1,
  examples: [{ json: '{"cmd":"getWifi"}', words: {} }],
})

/** docs/protocol.md 5.4; a network's name has 32 bytes at most, its password 63 characters. */
export const setWifi = request({
  cmd: 'setWifi',
  doc: 'The wireless network to use. The password is in clear text. No answer.',
  kind: null,
  members: { ssid: anything('username', 32), password: anything('password', 63) },
  answer: null,
  qos: 1,
  examples: [
    {
      json: '{"cmd":"setWifi","username":"Cafe","password":"example-password"}',
      words: { ssid: 'Cafe', password: 'example-password' },
    },
  ],
})

/** docs/protocol.md 5.4, 0xCF. */
export const wifiList = uplink({
  code: 0xcf,
  name: 'wifi_list',
  doc: 'The answer to getWifi: quoted names, in brackets and with commas between them.',
  kinds: [],
  up: { names: tail },
  means() {
    throw new MalformedBody('a list of wireless networks, for which the platform never asks')
  },
  examples: [{ frame: 'A80015CF5B2243616665222C224775657374225D91', body: { names: '["Cafe","Guest"]' } }],
})
