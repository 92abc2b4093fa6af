DROP INDEX "orders_user";--> statement-breakpoint
DROP INDEX "orders_station";--> statement-breakpoint
DROP INDEX "orders_status";--> statement-breakpoint
CREATE INDEX "user_roles_role" ON "user_roles" USING btree ("surface","role","user_id");--> statement-breakpoint
CREATE INDEX "orders_listed" ON "orders" USING btree ("id") WHERE "orders"."deleted_at" is null and "orders"."status" <> 'cancelled';--> statement-breakpoint
CREATE INDEX "orders_user" ON "orders" USING btree ("user_id","id","status") WHERE "orders"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "orders_station" ON "orders" USING btree ("station_id","id","status") WHERE "orders"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "orders_status" ON "orders" USING btree ("status","id") WHERE "orders"."deleted_at" is null;