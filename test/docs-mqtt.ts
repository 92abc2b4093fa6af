import type { AnyRequest, AnyUplink } from '../protocol/cabinet-mqtt/define.ts'
import { frameBytesMax } from '../protocol/cabinet-mqtt/frame.ts'
import { requests, uplinks } from '../protocol/cabinet-mqtt/index.ts'
import type { Members } from '../protocol/cabinet-mqtt/json.ts'
import type { Layout } from '../protocol/field.ts'

const code = (byte: number) => `0x${byte.toString(16).toUpperCase()}`
const list = (parts: string[], empty: string) => parts.join(' · ') || empty

const membersText = (members: Members) =>
  list(
    Object.entries(members).map(([name, { key, doc }]) => `\`${key}\` ${doc} (\`${name}\`)`),
    'nothing more',
  )

const layoutText = (layout: Layout) =>
  list(
    Object.entries(layout).map(([name, { doc }]) => `\`${name}\` ${doc}`),
    'empty',
  )

const answerText = ({ answer }: AnyRequest) => {
  const found = uplinks.find((uplink) => uplink.code === answer)
  return found ? `${code(found.code)} ${found.name}` : 'none'
}

const row = (request: AnyRequest) =>
  `| ${request.cmd} | ${request.kind ? `\`${request.kind}\`` : '–'} | ${membersText(request.members)} | ${request.qos} | ${answerText(request)} |`

const requestText = ({ cmd, doc, examples }: AnyRequest) =>
  [
    `#### ${cmd}`,
    doc,
    ['```', ...examples.flatMap(({ json, words }) => [json, `  ${JSON.stringify(words)}`]), '```'].join('\n'),
  ].join('\n\n')

const kindsText = ({ kinds }: AnyUplink) =>
  kinds.length > 0
    ? `Our word: ${kinds.map((kind) => `\`${kind}\``).join(', ')}.`
    : 'No word of ours: the platform never asks for it.'

const uplinkText = (uplink: AnyUplink) =>
  [
    `#### ${code(uplink.code)} ${uplink.name}`,
    uplink.doc,
    kindsText(uplink),
    `Layout: ${layoutText(uplink.up)}`,
    ['```', ...uplink.examples.flatMap(({ frame, body }) => [frame, `  ${JSON.stringify(body)}`]), '```'].join('\n'),
  ].join('\n\n')

const preface = `## MQTT: Volinks Powerbank Protocol V1

A cabinet is named by the IMEI of its module. It finds its broker by a signed HTTP call (\`bootstrap.ts\`; the signature holds no
secret), hears JSON text on \`/powerbank/{uuid}/user/get\`, says frames on \`…/user/update\`, and heartbeats on \`…/user/heart\`, where
it expects the same bytes back.

\`\`\`ts
const { hear, tell, answer } = voice({ firmware: 'current' })
const report = hear(payload)                            // throws MalformedBody: count it, acknowledge it, go on
warnings(payload)                                       // a stale length or check byte is told and no reason not to hear
publish(topics(uuid).get, tell({ kind: 'eject', slot: 3, bankId: '026ED580' }, { unixSeconds, ttlSeconds: 30 }), qosOf(command))
\`\`\`

\`speaks(kind)\` says which of our commands there are; \`isAnswered(kind)\` which of them anything answers. A power bank is its serial
number: \`026ED580\` in our words, 40818048 on its label and in \`popup_sn\`.

### The frame, cabinet to server

| offset | size | field |
|---|---|---|
| 0 | 1 | 0xA8 |
| 1 | 2 | length of the whole frame, at most ${frameBytesMax}; the MQTT payload's size is what counts |
| 3 | 1 | command |
| 4 | n | data |
| last | 1 | check byte: the sum of the whole frame is 0 modulo 256 |

A 0x10 frame shorter than its length says is refused, for the banks it leaves out are not gone.

### The commands, server to cabinet

Every value is a string; in brackets our name for it. QoS 0 where hearing it twice would do it twice.`

/** The page's part about the MQTT family. */
export const mqttPart = (): string =>
  [
    preface,
    ['| cmd | our word | members | QoS | answer |', '|---|---|---|---|---|', ...requests.map(row)].join('\n'),
    ...requests.map(requestText),
    '### The frames, cabinet to server',
    ...uplinks.map(uplinkText),
  ].join('\n\n')
