// Takes every operation of the API at $API by the types that were made of openapi.yaml, and looks into the answers. The
// compiler has then checked, strictly, that requests and answers are what the document says.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const KEY = "tenant/7/customer:12345";
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
const untaken = new Set((process.env.OPERATIONS ?? "").split(","));
const cache = createClient<paths>({ baseUrl: process.env.API!, headers });
cache.use({
  onRequest({ request, schemaPath }) {
    untaken.delete(`${request.method} ${schemaPath}`);
  },
});

/** The typed answer, where one is due. */
function answered<T>({ data, error }: { data?: T; error?: unknown }): T {
  assert.ok(data !== undefined, JSON.stringify(error));
  return data;
}

const put = {
  value: { name: "John Doe", balance: 1.5 },
  ttl_seconds: 60,
  tags: ["customer"],
  cache_levels: ["L1_MEMORY", "L2_REDIS", "L3_DATABASE"] as const satisfies string[],
};

// One entry: stored, read, stored again under a condition, changed, deleted; by its path, and by the query.
const byPath = { params: { path: { key: KEY } } };
assert.ok(answered(await cache.PUT("/entries/{key}", { ...byPath, body: put })).metadata.levels_stored.includes("L3_DATABASE"));
const found = answered(await cache.GET("/entries/{key}", byPath));
assert.deepEqual([found.key, found.value], [KEY, put.value]);
assert.ok(found.metadata.expires_at > found.metadata.created_at);
assert.equal((await cache.HEAD("/entries/{key}", byPath)).response.status, 200);
assert.ok(answered(await cache.PATCH("/entries/{key}", { ...byPath, body: { ttl_seconds: 7200, only: "longer" } })).changed);
const absent = { params: { path: { key: KEY }, header: { "If-None-Match": "*" } } } as const;
assert.equal((await cache.PUT("/entries/{key}", { ...absent, body: put })).error?.error.code, "PRECONDITION_FAILED");
assert.ok(answered(await cache.DELETE("/entries/{key}", byPath)).success);
assert.equal((await cache.GET("/entries/{key}", byPath)).error?.error.details["key"], KEY);

const byQuery = { params: { query: { key: KEY } } };
assert.equal(answered(await cache.PUT("/entries", { ...byQuery, body: put })).key, KEY);
assert.deepEqual(answered(await cache.GET("/entries", byQuery)).value, put.value);
assert.equal((await cache.HEAD("/entries", byQuery)).response.status, 200);
assert.ok(answered(await cache.PATCH("/entries", { ...byQuery, body: { add_tags: ["red"] } })).changed);
assert.ok(answered(await cache.DELETE("/entries", byQuery)).success);
answered(await cache.PUT("/entries", { ...byQuery, body: { value: null } }));

// Many entries: counted, invalidated, explained, brought back, listed, loaded.
const counted = answered(await cache.POST("/invalidate", { body: { pattern: "tenant/7/*", dry_run: true } }));
assert.deepEqual([counted.invalidated_count, counted.sample_keys], [1, [KEY]]);
const operations = [
  { op: "put" as const, key: `${KEY}:1`, value: [1], ttl_seconds: 60 },
  { op: "get" as const, key: KEY },
];
const [stored, read] = answered(await cache.POST("/batch", { body: { operations } })).results;
assert.deepEqual([stored?.status, read?.status, read?.value], [201, 200, null]);
assert.equal(answered(await cache.POST("/invalidate", { body: { keys: [`${KEY}:1`] } })).invalidated_count, 1);
const why = answered(await cache.GET("/explain", { params: { query: { key: `${KEY}:1` } } }));
// A miss, or stale: within the window, the container may have it.
assert.deepEqual([why.verdict === "hit", why.reason], [false, "invalidated_by_key"]);
const removed = answered(await cache.POST("/invalidate", { body: { keys: [KEY], undo_seconds: 60 } }));
const undo = { params: { path: { invalidation_id: removed.invalidation_id! } } };
assert.equal(answered(await cache.POST("/invalidate/{invalidation_id}/undo", undo)).restored, 1);
const [last] = answered(await cache.GET("/invalidations", { params: { query: { limit: 10 } } })).invalidations;
assert.deepEqual([last?.invalidation_id, last?.state], [removed.invalidation_id, "undone"]);
const listed = answered(await cache.GET("/keys", { params: { query: { prefix: "tenant/7/", limit: 10 } } }));
assert.deepEqual(listed.keys.map(({ key }) => key), [KEY]);
assert.deepEqual(answered(await cache.GET("/tags", { params: { query: { prefix: "customer" } } })).tags, []);
assert.equal(answered(await cache.GET("/stats", { params: { query: { separator: ":" } } })).depth, 1);
const warm = { keys: [KEY], strategy: "SCHEDULED" as const };
const { warming_job_id } = answered(await cache.POST("/warm", { body: warm, params: { header: { "Idempotency-Key": "ts" } } }));
const job = { params: { path: { job_id: warming_job_id } } };
assert.equal(answered(await cache.GET("/warm/{job_id}", job)).state, "scheduled");
assert.ok(answered(await cache.GET("/warm", {})).jobs.some(({ job_id }) => job_id === warming_job_id));
assert.equal(answered(await cache.DELETE("/warm/{job_id}", job)).state, "cancelled");

// The state, the journal, the configuration.
const levels = answered(await cache.GET("/status", {})).levels;
assert.deepEqual(levels.map(({ level }) => level), ["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]);
const journal = answered(await cache.GET("/journal", { params: { query: { limit: 1000 } } }));
assert.ok(journal.mutations.some((mutation) => "key" in mutation && mutation.key === KEY));
answered(await cache.GET("/config", {}));
const changed = answered(await cache.PUT("/config", { body: { l1_config: { ttl_minutes: 90 } } }));
assert.deepEqual(changed.updated_fields, ["l1_config.ttl_minutes"]);
answered(await cache.PUT("/config", { body: { l1_config: { ttl_minutes: 60 } } }));

assert.deepEqual([...untaken], [], "operations that were not taken");
console.log("every operation taken by types that were made of openapi.yaml");
