ALTER TABLE "tickets" ADD COLUMN "started_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "customers_by_created" ON "customers" USING btree ("created_at","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_updated" ON "customers" USING btree ("updated_at","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_last_name" ON "customers" USING btree ("last_name","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_first_name" ON "customers" USING btree ("first_name","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_middle_name" ON "customers" USING btree ("middle_name","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_phone" ON "customers" USING btree ("phone","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_email" ON "customers" USING btree ("email","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_status" ON "customers" USING btree ("status","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_document_type" ON "customers" USING btree ("document_type","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "customers_by_document_number" ON "customers" USING btree ("document_number","id") WHERE "customers"."deleted_at" is null;--> statement-breakpoint
-- Words are found inside texts by trigrams. Where the extension cannot be had, searches read all rows.
DO $$ BEGIN
	CREATE EXTENSION IF NOT EXISTS pg_trgm;
	CREATE INDEX "customers_search" ON "customers" USING gin ("search_text" gin_trgm_ops) WHERE "customers"."deleted_at" is null;
	CREATE INDEX "sims_search" ON "sims" USING gin ("search_text" gin_trgm_ops) WHERE "sims"."deleted_at" is null;
EXCEPTION WHEN undefined_file OR insufficient_privilege OR feature_not_supported OR undefined_object THEN
	RAISE WARNING 'pg_trgm is not available: searches among customers and SIMs will be slow';
END $$;
