import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join as pathOf } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { fieldAt, fields, formatOf } from '../../protocol/terminal-iso8583/fields.ts'
import { definitions } from '../../protocol/terminal-iso8583/index.ts'
import { type Message, present, read, split } from '../../protocol/terminal-iso8583/message.ts'

// What others read in our messages: an npm package that speaks ASCII only, and Wireshark's dissector where it is installed.

type Said = Record<string, string>
type Peer = new (said?: Said) => { getBufferMessage(): Buffer; getIsoJSON(bytes: Buffer): Said }
type PeerFormat = { ContentType: string; LenType: string; MaxLen: number }

// CommonJS without types; these are the parts of it that are called.
const require = createRequire(import.meta.url)
const Peer: Peer = require('iso_8583')
const formats: Record<string, PeerFormat> = require('iso_8583/lib/formats.js')

const messages = definitions.flatMap(({ examples }) =>
  examples.flatMap(({ up, down }) => [Buffer.from(up, 'hex'), Buffer.from(down, 'hex')]),
)
const isAscii = (text: string) => /^[ -~]*$/.test(text)
const mtiOf = (bytes: Buffer) => bytes.toString('hex', 0, 2)

/** A message as its texts; a MAC is no text. */
function textsOf(message: Message): [number, string][] {
  return present(message).flatMap((field) => {
    const text = read(message, field)!
    return field.title.endsWith('(MAC)') ? [] : [[field.number, text] as [number, string]]
  })
}

/** The same message as the package writes it: ASCII, always two bitmaps, a length in front. */
function inAscii(bytes: Buffer): Buffer {
  const said = textsOf(split(bytes))
  const bitmap = Buffer.alloc(16)
  bitmap[0] = 0x80
  for (const [number] of said) bitmap[(number - 1) >> 3]! |= 0x80 >> ((number - 1) & 7)
  const texts = said.map(([number, text]) => {
    const { size, prefix } = fieldAt(number)!
    return prefix === 0 ? text.padEnd(size) : String(text.length).padStart(prefix + 1, '0') + text
  })
  const body = Buffer.concat([Buffer.from(mtiOf(bytes)), bitmap, Buffer.from(texts.join(''), 'latin1')])
  const length = Buffer.alloc(2)
  length.writeUInt16BE(body.length)
  return Buffer.concat([length, body])
}

test('the package reads and writes the same fields of the same messages', () => {
  let compared = 0
  for (const bytes of messages) {
    const texts = textsOf(split(bytes)).map(([number, text]) => {
      const { size, prefix } = fieldAt(number)!
      return [String(number), prefix === 0 ? text.padEnd(size) : text] as const
    })
    if (!texts.every(([, text]) => isAscii(text))) continue
    const said: Said = { 0: mtiOf(bytes), ...Object.fromEntries(texts) }
    const theirs = new Peer(said).getBufferMessage()
    expect(theirs.toString('hex')).toBe(inAscii(bytes).toString('hex'))
    expect(new Peer().getIsoJSON(theirs)).toEqual(said)
    compared++
  }
  expect(compared).toBe(messages.length - 2)
})

/** Where its table differs: private fields that are free to be anything, and secrets it takes as text. */
const otherwise = [52, 53, 58, 59, 64, 127, 128]

test('its table of fields has the same lengths', () => {
  const differ = fields.filter(({ number, kind, size, prefix }) => {
    const { LenType, MaxLen } = formats[number]!
    // It counts the sign of x+n.
    return LenType !== ['fixed', 'llvar', 'lllvar'][prefix] || MaxLen !== size + (kind === 'x+n' ? 1 : 0)
  })
  const wanted = otherwise.filter((number) => ![64, 128].includes(number))
  expect(
    differ.map((field) => field.number),
    differ.map(formatOf).join(),
  ).toEqual(wanted)
})

/** The fields as `tshark` prints them: all it reads of each message, by number. */
function dissected(): Said[] {
  const folder = mkdtempSync(pathOf(tmpdir(), 'voltbay-iso8583-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [hex, capture] = ['frames.txt', 'frames.pcap'].map((name) => pathOf(folder, name)) as [string, string]
  const dump = messages.map((bytes) => {
    const frame = Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
    return `000000 ${[...frame].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}\n`
  })
  writeFileSync(hex, dump.join('\n'))
  execFileSync('text2pcap', ['-q', '-T', '40000,9067', hex, capture], { stdio: 'ignore' })
  const settings = ['len_endian:Big endian', 'charset:Digits represented in nibbles', 'binencode:Bin data not encoded']
  const options = settings.flatMap((setting) => ['-o', `iso8583.${setting}`])
  const args = ['-r', capture, '-d', 'tcp.port==9067,iso8583', ...options, '-V']
  const text = execFileSync('tshark', args, { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1e8 }).toString('utf8')
  return text
    .split(/^ISO 8583-1:/m)
    .slice(1)
    .map((part) =>
      Object.fromEntries([...part.matchAll(/^ {4}Bit (\d+): (.*?)`?$/gm)].map(([, bit, said]) => [bit, said])),
    )
}

/** It reads them otherwise (findings/tshark-iso8583.sh), and is out of step behind them. */
const misread = (number: number, text: string) => number === 35 || number === 49 || !isAscii(text)

/** Of 86 to 89 it takes the first of 16 digits for the padding of 15. */
const asTheirs = (number: number, text: string) => (number >= 86 && number <= 89 ? text.slice(1) : text)

test('Wireshark reads the same fields, as far as it knows their kind', { timeout: 60_000 }, () => {
  if (spawnSync('tshark', ['--version']).status !== 0)
    return console.log('tshark is not installed: not compared with it')
  const theirs = dissected()
  expect(theirs).toHaveLength(messages.length)
  let compared = 0
  for (const [at, bytes] of messages.entries()) {
    const message = split(bytes)
    for (const field of present(message)) {
      const text = read(message, field)!
      if (misread(field.number, text)) break
      expect(theirs[at]![field.number]?.trimEnd(), `${mtiOf(bytes)} ${field.number}`).toBe(asTheirs(field.number, text))
      compared++
    }
  }
  expect(compared).toBeGreaterThan(150)
})
