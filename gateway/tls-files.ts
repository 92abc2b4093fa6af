import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { refuse } from '../db/platform/config.ts'

/** The ports that one pair of files serves. */
export const tlsPorts = ['CABINET_TLS_PORT', 'MQTT_TLS_PORT', 'TERMINAL_TLS_PORT'] as const
type TlsPort = (typeof tlsPorts)[number]

/** What is read of the settings for it. */
export type TlsSettings = { [Name in TlsPort]?: number | undefined } & {
  CABINET_TLS_CERT?: string | undefined
  CABINET_TLS_KEY?: string | undefined
}

/** A port, and what it shows. */
export interface Tls {
  port: number
  cert: Buffer
  key: Buffer
}

/**
 * A port for TLS, if one is asked for, and its files.
 * @throws BadSettings
 */
export function tlsOf(settings: TlsSettings, name: TlsPort): Tls | null {
  const { [name]: tlsPort, CABINET_TLS_CERT: cert, CABINET_TLS_KEY: key } = settings
  if (tlsPort === undefined) return null
  refuse(pairMistakes(name, cert, key))
  return { port: tlsPort, cert: readFileSync(cert!), key: readFileSync(key!) }
}

/** What is wrong with the two files a TLS port needs. */
export function pairMistakes(name: TlsPort, certFile: string | undefined, keyFile: string | undefined): string[] {
  if (!certFile || !keyFile) return [`${name} needs CABINET_TLS_CERT and CABINET_TLS_KEY`]
  const mistakes: string[] = []
  const read = <T>(setting: string, path: string, parse: (pem: string) => T, wanted: string) => {
    try {
      return parse(readFileSync(path, 'utf8'))
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException
      mistakes.push(`${setting} ${syscall === undefined ? `holds no ${wanted} in PEM` : `cannot be read: ${code}`}`)
      return null
    }
  }
  const cert = read('CABINET_TLS_CERT', certFile, (pem) => new X509Certificate(pem), 'certificate')
  const key = read('CABINET_TLS_KEY', keyFile, createPrivateKey, 'private key without a password')
  if (cert && key && !cert.checkPrivateKey(key)) mistakes.push('CABINET_TLS_KEY is not the key of CABINET_TLS_CERT')
  return mistakes
}
