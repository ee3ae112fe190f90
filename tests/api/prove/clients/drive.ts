// A program that uses openapi-fetch with the types which openapi-typescript has made.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };
type Run = components["schemas"]["Run"];

function must<Kind>(answer: { data?: Kind; error?: components["schemas"]["Problem"] }): Kind {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

function check(holds: boolean, what: unknown): void {
  if (!holds) throw new Error(JSON.stringify(what));
}

const [site = "", username = "", password = "", key = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: site });

const pair = must(await client.POST("/api/token", { body: { username, password } }));
client.use({
  onRequest: ({ request }) => request.headers.set("Authorization", `Bearer ${pair.access}`) ?? request,
});

const started = must(
  await client.POST("/api/admin/scheduler/trigger", {
    body: { task: "conversations", dry_run: false, wait: 0 },
    params: { header: { "Idempotency-Key": "once" } },
  }),
);
let run: Run = started.run;
while (run.status === "queued" || run.status === "running") {
  await new Promise((done) => setTimeout(done, 200));
  run = must(await client.GET("/api/admin/scheduler/results/{id}", { params: { path: { id: run.id } } }));
}
check(run.result?.["deleted_conversations"] === 1, run);

const undone = must(
  await client.POST("/api/admin/scheduler/runs/{id}/undo", {
    params: { path: { id: run.id } },
    body: { wait: 30, unverified: false, intact_only: false },
  }),
);
check(undone.run.undo_of === run.id, undone);

const hold = must(
  await client.POST("/api/admin/scheduler/holds", {
    body: { model: "chat.Conversation", key, until: null, reason: "A dispute" },
  }),
);
const path = { id: hold.id };
const read = await client.GET("/api/admin/scheduler/holds/{id}", { params: { path } });
const header = { "If-Match": read.response.headers.get("ETag") ?? "" };
const body = { reason: "A dispute, number 7" };
must(await client.PATCH("/api/admin/scheduler/holds/{id}", { params: { path, header }, body }));
const stale = await client.PATCH("/api/admin/scheduler/holds/{id}", { params: { path, header }, body });
check(stale.response.status === 412 && stale.error?.code === "precondition_failed", stale.error);

const held = must(
  await client.GET("/api/admin/scheduler/holds", { params: { query: { model: "chat.Conversation", key } } }),
);
check(held.results.some((one) => one.reason === body.reason), held);
const ended = await client.DELETE("/api/admin/scheduler/holds/{id}", { params: { path } });
check(ended.response.status === 204, ended.error);

const changed = must(
  await client.PATCH("/api/admin/scheduler/policies/{name}", {
    params: { path: { name: "conversations" } },
    body: { retention_days: 60, dry_run: true },
  }),
);
check(changed.effect.retention_days === 60, changed);
const missing = await client.GET("/api/admin/scheduler/holds/{id}", { params: { path: { id: 1e9 } } });
check(missing.error?.code === "not_found", missing.error);
