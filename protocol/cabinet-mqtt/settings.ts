import { MalformedBody } from '../errors.ts'
import { tail } from '../field.ts'
import { bare, request, uplink } from './define.ts'
import { anything, decimal, word } from './json.ts'

/** Our loudest (cabinet.ts), and theirs. */
const levelMax = 15
const volumeMax = 100

/** docs/protocol.md 5.4; twice would be two restarts, so it is said at QoS 0. */
export const reboot = request({
  ...bare('reboot'),
  doc: 'Restart. No answer; the next connection is one.',
  kind: 'restart',
  answer: null,
  qos: 0,
  from: () => ({}),
  asks: () => ({ kind: 'restart' }),
})

/** docs/protocol.md 5.4. */
export const volume = request({
  cmd: 'volume',
  doc: 'Set how loud the cabinet speaks, in percent. No answer.',
  kind: 'set_volume',
  members: { percent: decimal('data', 0, volumeMax) },
  answer: null,
  qos: 1,
  from({ level }) {
    if (!(Number.isInteger(level) && level >= 0 && level <= levelMax)) throw new RangeError(`${level} is no volume`)
    return { percent: Math.round((level * volumeMax) / levelMax) }
  },
  asks: ({ percent }) => ({ kind: 'set_volume', level: Math.round((percent * levelMax) / volumeMax) }),
  examples: [{ json: '{"cmd":"volume","data":"67"}', words: { percent: 67 } }],
})

/** docs/protocol.md 5.4. */
export const loadAd = request({
  ...bare('load_ad'),
  doc: 'Fetch the advertisements anew. No answer.',
  kind: null,
  answer: null,
  qos: 1,
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
  ...bare('getWifi'),
  doc: 'Which wireless networks the cabinet hears.',
  kind: null,
  answer: 0xcf,
  qos: 1,
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
