ALTER TABLE "orders" ADD COLUMN "absent_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "return_heard_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "not_taken_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "powerbanks" ADD COLUMN "good_readings" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "powerbanks" ADD COLUMN "twin_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "station_powerbanks" ADD COLUMN "is_unread" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "stations" ADD COLUMN "listed_banks" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "stations" ADD COLUMN "unreadable_slots" integer[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "stations" ADD COLUMN "unread_looks" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "stations" ADD COLUMN "metal_since" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "orders_not_taken" ON "orders" USING btree ("station_id","not_taken_at") WHERE "orders"."not_taken_at" is not null;