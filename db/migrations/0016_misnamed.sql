ALTER TABLE "orders" ADD COLUMN "asked_powerbank_id" bigint;--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "named_powerbank_id" bigint;--> statement-breakpoint
CREATE INDEX "orders_asked_powerbank" ON "orders" USING btree ("asked_powerbank_id") WHERE "orders"."asked_powerbank_id" is not null;