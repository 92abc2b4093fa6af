import { createHash } from 'node:crypto'

/** All that a posting says, as PostgreSQL prints it: a proof needs the rows and nothing else. */
export interface Said {
  bookId: string
  ownerKind: string
  ownerId: string
  unit: string
  /** 1, 2, 3 … in its book. */
  seq: string
  id: string
  key: string
  kind: string
  /** The posting that this one undoes. */
  reverses: string | null
  createdBy: string | null
  /** `2026-11-21T12:30:00.123456Z` */
  createdAt: string
  /** jsonb as text. */
  about: string
  /** Account name and signed amount in minor units, by rising name. */
  entries: readonly (readonly [name: string, amount: string])[]
}

/** What `to_char` makes `Said.createdAt` with, of an instant at UTC. */
export const INSTANT_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

/**
 * The link of the chain: SHA-256 of the hash before it (empty for the first) and of a JSON array of texts, in which
 * no two different postings look alike.
 */
export function hashOf(previous: Uint8Array, said: Said): Buffer {
  const text = JSON.stringify([
    said.bookId,
    said.ownerKind,
    said.ownerId,
    said.unit,
    said.seq,
    said.id,
    said.key,
    said.kind,
    said.reverses,
    said.createdBy,
    said.createdAt,
    said.about,
    said.entries,
  ])
  return createHash('sha256').update(previous).update(text).digest()
}
