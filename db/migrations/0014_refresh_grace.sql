ALTER TABLE "sessions" ADD COLUMN "refreshed_at" timestamp with time zone[];--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "hours" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "password_at" timestamp with time zone;