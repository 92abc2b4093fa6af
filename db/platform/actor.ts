/** Who acts. Built from a verified token and the database, never from a body field (docs/decisions.md rule 12). */
export interface Actor {
  userId: number
  /** Roles on the surface that is being spoken to. */
  roles: readonly { role: string; orgUnitId: number | null }[]
}

export const hasRole = (actor: Actor, ...names: string[]) => actor.roles.some(({ role }) => names.includes(role))
