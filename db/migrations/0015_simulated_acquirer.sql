CREATE TABLE "simulated_acquirer" (
	"transaction_id" bigint PRIMARY KEY NOT NULL,
	"held_minor" bigint DEFAULT 0 NOT NULL,
	"taken_minor" bigint DEFAULT 0 NOT NULL,
	"refunded_minor" bigint DEFAULT 0 NOT NULL,
	"is_reversed" boolean DEFAULT false NOT NULL,
	"replies" jsonb DEFAULT '{}'::jsonb NOT NULL
);
