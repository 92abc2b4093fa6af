import { createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A letter as the mail server got it. */
export interface Received {
  from: string
  to: string
  headers: Record<string, string>
  subject: string
  text: string
}

/** What the server answers to a command, by its first word; undefined: as a mail server does. `hang up` closes. */
export type Manner = (verb: string, line: string) => string | undefined

const unfold = (text: string) => text.replace(/\r\n[ \t]+/g, ' ')
const fromQuoted = (text: string) =>
  Buffer.from(
    text.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString('utf8')
const words = (text: string) =>
  text
    .replace(/\?= +=\?/g, '?==?')
    .replace(/=\?utf-8\?([BQ])\?([^?]*)\?=/gi, (_, kind, body) =>
      kind.toUpperCase() === 'B' ? Buffer.from(body, 'base64').toString('utf8') : fromQuoted(body.replaceAll('_', ' ')),
    )

function read(from: string, to: string, raw: string): Received {
  const [head = '', ...rest] = raw.split('\r\n\r\n')
  const lines = unfold(head).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const body = rest.join('\r\n\r\n').replace(/^\.\./gm, '.')
  const encoding = headers['content-transfer-encoding']
  const text = encoding === 'base64' ? Buffer.from(body, 'base64').toString('utf8') : fromQuoted(body)
  return { from, to, headers, subject: words(headers.subject ?? ''), text }
}

/** A mail server on loopback (RFC 5321, what nodemailer needs of it), closed with the test. It keeps what it takes. */
export async function mailServer(manner: Manner = () => undefined) {
  const emails: Received[] = []
  const logins: string[] = []
  const sockets = new Set<Socket>()
  let dialled = 0
  const usual: Record<string, string> = {
    EHLO: '250-here\r\n250 AUTH PLAIN',
    AUTH: '235 welcome',
    DATA: '354 go on',
    QUIT: '221 bye',
  }

  const server = createServer((socket) => {
    let [rest, from, to, inData] = ['', '', '', false]
    dialled++
    sockets.add(socket)
    socket
      .setEncoding('latin1')
      .on('error', () => {})
      .on('close', () => sockets.delete(socket))
    const say = (line: string) => (line === 'hang up' ? socket.destroy() : socket.write(`${line}\r\n`))
    say(manner('CONNECT', '') ?? '220 mail.test ESMTP')
    socket.on('data', (chunk: string) => {
      rest += chunk
      for (;;) {
        const end = inData ? '\r\n.\r\n' : '\r\n'
        const at = rest.indexOf(end)
        if (at < 0) return
        const line = rest.slice(0, at)
        rest = rest.slice(at + end.length)
        const verb = inData ? 'LETTER' : line.split(' ')[0]!.toUpperCase()
        const answer = manner(verb, line) ?? usual[verb] ?? '250 ok'
        if (verb === 'MAIL') from = /<(.*?)>/.exec(line)?.[1] ?? ''
        if (verb === 'RCPT') to = /<(.*?)>/.exec(line)?.[1] ?? ''
        if (verb === 'AUTH')
          logins.push(
            Buffer.from(line.split(' ')[2] ?? '', 'base64')
              .toString()
              .replaceAll('\0', ' '),
          )
        if (verb === 'LETTER' && answer.startsWith('2')) emails.push(read(from, to, line))
        inData = verb === 'DATA' && answer.startsWith('3')
        say(answer)
      }
    })
  }).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((closed) => server.close(closed))
  })
  const { port } = server.address() as { port: number }
  const smtp = { url: `smtp://127.0.0.1:${port}`, from: 'Voltbay <no-reply@voltbay.test>' }
  return { smtp, port, emails, logins, dialled: () => dialled }
}
