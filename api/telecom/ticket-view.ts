import { z } from '@hono/zod-openapi'
import type { Ticket } from '../../db/telecom/tickets.ts'
import { ticketCategories, ticketPriorities, ticketStatuses } from '../../db/telecom/words.ts'
import { published } from '../resource.ts'
import { shown, Time } from './surface.ts'

/** A ticket as it leaves. */
export const TicketView = z.object({
  id: z.int(),
  customer: z.int().nullable(),
  customer_name: z.string().nullable(),
  contract: z.int().nullable(),
  contract_number: z.string().nullable(),
  station: z.int().nullable(),
  subject: z.string(),
  description: z.string(),
  category: z.enum(ticketCategories),
  status: z.enum(ticketStatuses),
  priority: z.enum(ticketPriorities),
  assigned_to: z.int().nullable(),
  assigned_to_name: z.string().nullable(),
  created_by: z.int().nullable(),
  created_by_name: z.string().nullable(),
  assigned_at: Time.nullable(),
  started_at: Time.nullable(),
  resolved_at: Time.nullable(),
  closed_at: Time.nullable(),
  resolution: z.string().nullable(),
  close_reason: z.string().nullable(),
  due_at: Time.nullable(),
  is_overdue: z.boolean(),
  created_at: Time,
  updated_at: Time,
})

/** The same, of a list of something else. */
export const TicketRow = TicketView.openapi('TicketRow')

/** Its values. */
export const ticketJson = (ticket: Ticket) =>
  published(TicketView, {
    ...shown(ticket),
    customer: ticket.customerId,
    contract: ticket.contractId,
    station: ticket.stationId,
  })
