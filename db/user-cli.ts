import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import * as identity from './identity/identity.ts'
import { hash } from './identity/password.ts'
import type { Surface } from './identity/words.ts'
import * as visits from './loyalty/visits.ts'
import { BadSettings, databaseSettings, readSettings, startOrExit } from './platform/config.ts'
import { jsonLog } from './platform/log.ts'
import type { Db } from './postgres/connect.ts'
import { open } from './postgres/open.ts'

const usage = `npm run -s user -- link --id NUMBER --external-id 1C-PATIENT-001

Says which patient of 1C a user is, so that visits count.

npm run -s user -- create [--name NAME] [--phone +79001234567] [--email A@B] [--username NAME]
    [--password PASSWORD|-] [--role SURFACE:ROLE[:UNIT]]…

Makes an active account and prints it as JSON. At least one of phone, email and username, which is the name where no other is
given. "--password -" reads the password from standard input, where no list of processes shows it; it has at least 8
characters. Without it one is made up, and printed this once. UNIT is an organisation unit's number.

  loyalty:    patient doctor cashier admin
  powerbank:  user subgroup_admin group_admin service_admin
  paygo:      user admin terminal_operator finance_manager
  getpro:     user admin
  telecom:    admin supervisor operator employee
`

const passwordCharsMin = 8
const madeUpBytes = 15
const checkViolation = '23514'
const foreignKeyViolation = '23503'

const options = {
  name: { type: 'string' },
  phone: { type: 'string' },
  email: { type: 'string' },
  username: { type: 'string' },
  password: { type: 'string' },
  id: { type: 'string' },
  'external-id': { type: 'string' },
  role: { type: 'string', multiple: true },
  help: { type: 'boolean' },
} as const

/** The account as it is printed. */
export interface Made {
  id: number
  name: string
  phone: string | null
  email: string | null
  username: string | null
  /** As they were given: `powerbank:service_admin`. */
  roles: string[]
  /** Where none was given: it was made up, and is told nowhere else. */
  password?: string
}

const account = z.object({
  name: z.string('--name is required').trim().min(1, '--name is required'),
  phone: z
    .string()
    .regex(/^\+\d{8,15}$/, '--phone must look like +79001234567')
    .nullable()
    .default(null),
  email: z.email('--email is no address').nullable().default(null),
  username: z.string().regex(/^\S+$/, '--username must have no spaces').nullable().default(null),
  password: z
    .string('--password is required')
    .min(passwordCharsMin, `--password must have at least ${passwordCharsMin} characters`),
  role: z.array(z.string().regex(/^\w+:\w+(:\d+)?$/, '--role must look like powerbank:service_admin')).default([]),
})

function grant(role: string): identity.Grant {
  const [surface, name, unit] = role.split(':')
  return { surface: surface as Surface, role: name!, orgUnitId: unit ? Number(unit) : null }
}

/**
 * Makes an account from command line arguments without `create`.
 * @throws BadSettings a line per mistake
 * @throws Refused `duplicate`
 */
export async function create(db: Db, args: Record<string, unknown>): Promise<Made> {
  const madeUp = args.password === undefined ? { password: randomBytes(madeUpBytes).toString('base64url') } : {}
  const parsed = account.safeParse({ ...args, name: args.name ?? args.username, ...madeUp })
  if (!parsed.success) throw new BadSettings(parsed.error.issues.map(({ message }) => message))
  const { name, phone, email, username, password, role: roles } = parsed.data
  if (!phone && !email && !username) throw new BadSettings(['one of --phone, --email and --username is required'])
  const passwordHash = await hash(password)
  try {
    const id = await db.transaction((tx) =>
      identity.createWithRoles(tx, { fullName: name, phone, email, username, passwordHash, roles: roles.map(grant) }),
    )
    return { id, name, phone, email, username, roles, ...madeUp }
  } catch (error) {
    const { code } = error as { code?: string }
    // The schema knows which roles and units there are.
    if (code === checkViolation) throw new BadSettings([`there is no such role: ${roles.join(', ')} (see --help)`])
    if (code === foreignKeyViolation) throw new BadSettings([`there is no such organisation unit: ${roles.join(', ')}`])
    throw error
  }
}

const patient = z.object({
  id: z
    .string('--id is required')
    .regex(/^\d{1,15}$/, '--id must be a number')
    .transform(Number),
  'external-id': z
    .string('--external-id is required')
    .trim()
    .regex(/^[^\p{Cc}]{1,100}$/u, '--external-id must have 1 to 100 characters'),
})

/**
 * Links a user with a patient of 1C, from command line arguments without `link`.
 * @throws BadSettings a line per mistake
 * @throws Refused `not_found`, `duplicate`
 */
export async function link(db: Db, args: Record<string, unknown>): Promise<{ id: number; externalId: string }> {
  const parsed = patient.safeParse(args)
  if (!parsed.success) throw new BadSettings(parsed.error.issues.map(({ message }) => message))
  const { id, 'external-id': externalId } = parsed.data
  await db.transaction((tx) => visits.link(tx, id, externalId))
  return { id, externalId }
}

const commands = new Map<string, (db: Db, args: Record<string, unknown>) => Promise<object>>([
  ['create', create],
  ['link', link],
])

/** `npm run user`. */
async function main() {
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const command = commands.get(positionals.join())
  if (values.help || !command) {
    ;(values.help ? process.stdout : process.stderr).write(usage)
    process.exitCode = values.help ? 0 : 1
    return
  }
  if (values.password === '-') values.password = (await text(process.stdin)).replace(/\r?\n$/, '')
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = await readSettings(z.object(databaseSettings))
  const { db, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  try {
    process.stdout.write(`${JSON.stringify(await command(db, values))}\n`)
  } finally {
    await stop()
  }
}

if (import.meta.main) await startOrExit(main)
