ALTER TABLE "certificates" ADD COLUMN "idempotency_key" text;--> statement-breakpoint
ALTER TABLE "certificates" ADD COLUMN "request_hash" text;--> statement-breakpoint
CREATE UNIQUE INDEX "certificates_key" ON "certificates" USING btree ("created_by","idempotency_key") WHERE "certificates"."idempotency_key" is not null;