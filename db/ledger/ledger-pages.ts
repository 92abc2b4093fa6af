import type { Tx } from '../postgres/connect.ts'

/** A proof ends here: what is broken, and where. */
export class BrokenError extends Error {}

/** What one `fetch` of a proof brings. */
export const PAGE_ROWS = 1_000

/** The rows of a query without parameters, a page at a time. Several may be read in turn. */
export async function* rows<T extends object>(
  tx: Tx,
  name: string,
  query: string,
  signal?: AbortSignal,
): AsyncGenerator<T, undefined> {
  await tx.unsafe(`declare ${name} no scroll cursor for ${query}`)
  for (;;) {
    signal?.throwIfAborted()
    const page = await tx.unsafe<T[]>(`fetch ${PAGE_ROWS} from ${name}`)
    yield* page
    if (page.length < PAGE_ROWS) return
  }
}
