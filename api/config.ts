/** The API's settings, checked at start. */
export interface ApiConfig {
  host: string
  /** 0 takes a free port. */
  port: number
  /** What links and the API description name; null: relative. */
  publicUrl: string | null
  jwtSecret: string
  keysSecret: string
  /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
  trustedProxies: readonly string[]
  /** How long a login lasts (data-model C6). */
  tokenHours: number
  /** Of `POST /api/return/wait-confirmation`; never the client's choice (seed 003). */
  returnConfirmationTimeoutSeconds: number
  /** How long a borrow request waits for the cabinet (api-contracts 4.5). */
  borrowWaitSeconds: number
  /** What `set-server-address` names when the client names no port. */
  cabinetPort: number
  loginsPerMinute: number
  registrationsPerMinute: number
  /** Wrong passwords for one phone within `phoneFailureMinutes`, before it has to wait. */
  phoneFailuresMax: number
  phoneFailureMinutes: number
}
