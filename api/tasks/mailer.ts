import { createTransport } from 'nodemailer'
import type { Failure } from '../../db/messages/outbox.ts'
import type { Text } from './getpro-texts.ts'

/** Where letters go out. */
export interface Smtp {
  /** `smtp://user:password@host:587` or `smtps://…`. A secret: never logged. */
  url: string
  /** `Voltbay <no-reply@example.org>`. */
  from: string
}

/** Connections to the mail server, and letters at once. */
export const CONNECTIONS_MAX = 3
const dialTimeoutMs = 10_000
const silenceMs = 20_000
const emailsPerConnectionMax = 100
/** Of a letter whose connection broke under it, within one attempt of ours. */
const redialsMax = 1

export interface Mailer {
  /** Rejects with what `failure` understands. */
  send(to: string, text: Text, notificationId: number): Promise<void>
  close(): void
}

/** A pool of connections to the mail server, dialled when there is something to send. */
export function mailer({ url, from }: Smtp): Mailer {
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: CONNECTIONS_MAX,
    maxMessages: emailsPerConnectionMax,
    maxRequeues: redialsMax,
    connectionTimeout: dialTimeoutMs,
    greetingTimeout: dialTimeoutMs,
    dnsTimeout: dialTimeoutMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const host = /@([^\s>]+)>?$/.exec(from)?.[1] ?? 'voltbay'
  return {
    send: async (to, { title, body }, notificationId) => {
      // The same id at every attempt: a letter whose success we never heard of is recognised when it comes again.
      const messageId = `<notice-${notificationId}@${host}>`
      await transport.sendMail({ from, to: { name: '', address: to }, subject: title, text: body, messageId })
    },
    close: () => transport.close(),
  }
}

const permanentCode = 500

/**
 * What an error of `send` means. The text has codes only: what a server answers may repeat an address, and a
 * library's message the login.
 */
export function failure(error: unknown): Failure {
  const {
    code = 'EUNKNOWN',
    responseCode,
    command,
  } = error as { code?: string; responseCode?: number; command?: string }
  // Of this letter the server speaks when it does not want its recipient or its content; a sender it does not want is ours.
  const isOfEmail = (code === 'EENVELOPE' && command !== 'MAIL FROM') || code === 'EMESSAGE'
  return {
    error: responseCode === undefined ? code : `${code} ${responseCode}`,
    isServers: !isOfEmail,
    isFinal: isOfEmail && responseCode !== undefined && responseCode >= permanentCode,
  }
}
