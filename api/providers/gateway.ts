import type { Asking } from '../../db/getpro/open-payments.ts'
import type { Acting } from '../../db/getpro/payment-acts.ts'
import type { Notice } from '../../db/getpro/settlement.ts'
import type { Reply } from './call.ts'

/** A payment as its provider has it. */
export interface There {
  /** The provider's name for it; null: it has none until somebody pays. */
  providerPaymentId: string | null
  /** Where it is paid; null: nowhere, or nowhere any more. */
  confirmationUrl: string | null
  /** What it says of it; null: nothing yet, it is open. */
  notice: Notice | null
}

/** Money that goes back, as its provider has it. */
export interface Gone {
  /** The provider's name for it, the same as its notice has. */
  refundId: string
  status: 'pending' | 'succeeded' | 'canceled'
}

/** How a payment of one provider is made, and asked for. Nothing here waits within a transaction, or rejects. */
export interface Gateway {
  /** Play money counts. */
  isTestAllowed: boolean
  /**
   * Makes it there. Asked before (`attempts` above 1) nobody may know what came of it: what can be there already is looked for
   * first, or told by the same key, so that it is made once.
   */
  open(asking: Asking): Promise<Reply<There>>
  /** How it stands there; null: nothing is known of it there. */
  look(asking: Asking): Promise<Reply<There | null>>
  /** Gives money back, or looks how far that is; undefined: people do it there by hand. */
  refund?(acting: Acting): Promise<Reply<Gone>>
  /** It gives back all or nothing. */
  refundsWhole?: true
  /** Takes what is held. */
  capture?(acting: Acting): Promise<Reply<There>>
  /** Lets go of what is held, or of what nobody has paid yet. */
  cancel?(acting: Acting): Promise<Reply<There>>
  /** A method of payment may be kept with it. */
  savesMethods?: true
}

/** A notice of nothing more than its status and sum. */
export const noticeOf = (
  status: Notice['status'],
  { providerPaymentId, amount, currency }: Pick<Notice, 'providerPaymentId' | 'amount' | 'currency'>,
  { reason = null, method = null, isTest = false }: Partial<Pick<Notice, 'reason' | 'method' | 'isTest'>> = {},
): Notice => ({ status, providerPaymentId, amount, currency, isTest, method, reason, payerTelegramId: null })
