import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'

/** OWASP's first choice for argon2id, and docs/decisions.md "Passwords are argon2id of node:crypto". */
const memoryKib = 19_456
const passes = 2
const parallelism = 1
const saltBytes = 16
const tagBytes = 32
/** Each takes a core and 19 MiB; the rest of the house needs the other core. */
const runningMax = 2
/** About three seconds of work; a login that would wait longer is refused. */
const waitingMax = 200
/** Bounds of what a stored hash may ask of us. */
const memoryKibMax = 262_144
const passesMax = 10

/** Too many passwords are being checked at this moment. */
export class PasswordsBusy extends Error {
  constructor() {
    super('too many passwords are being checked')
    this.name = 'PasswordsBusy'
  }
}

interface Cost {
  memory: number
  passes: number
  parallelism: number
  tagLength: number
}

let running = 0
const waiting: (() => void)[] = []

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= runningMax) {
    if (waiting.length >= waitingMax) throw new PasswordsBusy()
    // Whoever finishes passes its place on, so `running` stays as it is.
    await new Promise<void>((go) => waiting.push(go))
  } else running++
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

const derive = (password: string, nonce: Buffer, cost: Cost): Promise<Buffer> =>
  inTurn(
    () =>
      new Promise((resolve, reject) =>
        argon2('argon2id', { message: password.normalize('NFKC'), nonce, ...cost }, (error, tag) =>
          error ? reject(error) : resolve(tag),
        ),
      ),
  )

const bare = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')

/** The password as a PHC string (argon2id). Throws `PasswordsBusy`. */
export async function hash(password: string): Promise<string> {
  const salt = randomBytes(saltBytes)
  const tag = await derive(password, salt, { memory: memoryKib, passes, parallelism, tagLength: tagBytes })
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${parallelism}$${bare(salt)}$${bare(tag)}`
}

const phc = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/
const nobody = `$argon2id$v=19$m=${memoryKib},t=${passes},p=${parallelism}$${bare(Buffer.alloc(saltBytes))}$${bare(Buffer.alloc(tagBytes))}`

/**
 * Whether the password is the stored one. Without a stored hash (unknown user, or one who has no password) it does
 * the same work and says no, so that the time of an answer does not tell who exists. Throws `PasswordsBusy`.
 */
export async function verify(password: string, stored: string | null): Promise<boolean> {
  const [, memory, rounds, lanes, salt, tag] = phc.exec(stored ?? nobody) ?? []
  if (!salt || !tag) throw new Error('a stored password hash is not a PHC string of argon2id')
  const expected = Buffer.from(tag, 'base64')
  const cost = {
    memory: Number(memory),
    passes: Number(rounds),
    parallelism: Number(lanes),
    tagLength: expected.length,
  }
  if (cost.memory > memoryKibMax || cost.passes > passesMax) throw new Error('a stored password hash costs too much')
  const found = await derive(password, Buffer.from(salt, 'base64'), cost)
  return timingSafeEqual(found, expected) && stored !== null
}
