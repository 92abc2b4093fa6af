import { HTTPException } from 'hono/http-exception'
import * as password from '../db/identity/password.ts'

/** Too many passwords at once is the client's cue to come back (503), not a bug. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof password.PasswordsBusy ? new HTTPException(503, { cause: error }) : error
  }
}

/** The hash to store for a new password. */
export const hashInTime = (plain: string): Promise<string> => inTime(password.hash(plain))
