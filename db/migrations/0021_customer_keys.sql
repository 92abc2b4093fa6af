DROP INDEX IF EXISTS "customers_search";--> statement-breakpoint
ALTER TABLE "customers" ADD COLUMN "search_key" text GENERATED ALWAYS AS (translate(lower(last_name || E'\n' || first_name || E'\n' || coalesce(middle_name, '') || E'\n' || phone || E'\n' || coalesce(email, '')), 'абвгдеёжзийклмнопрстуфхцчшщъыьэюяңөү', 'abvgdee3ziyklmnoprstufhc4w6j1q398nou')) STORED;--> statement-breakpoint
DO $$ BEGIN
	CREATE INDEX "customers_key" ON "customers" USING gin ("search_key" gin_trgm_ops) WHERE "customers"."deleted_at" is null;
EXCEPTION WHEN undefined_object THEN
	RAISE WARNING 'pg_trgm is not available: searches among customers will be slow';
END $$;
