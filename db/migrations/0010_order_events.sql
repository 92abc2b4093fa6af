ALTER TABLE "device_commands" ADD COLUMN "given_up_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "frame" text;--> statement-breakpoint
CREATE INDEX "events_order" ON "events" USING btree ("order_id","id") WHERE "events"."order_id" is not null;--> statement-breakpoint
CREATE INDEX "events_bank" ON "events" USING btree (("data"->>'powerbankId'),"id") WHERE ("events"."data"->>'powerbankId') is not null;