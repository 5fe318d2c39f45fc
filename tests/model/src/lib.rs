//! An explicit-state model of how the levels are kept coherent: the checker takes every step of every container, and
//! every fault, in every order, and looks at every state whether a read could return what it must not.
//!
//! It is the protocol that is checked here, as `shared/cache` carries it out, not its code. What the code does with
//! real engines, threads and time is checked by the history checker.
//!
//! # What is modelled
//!
//! One key, and one pattern that matches it. Two containers and a new one, each with one operation at a time, in steps
//! that are one request to one level or one script. GET with its promotion; PUT to all levels, and to L1 and L2 only;
//! PATCH, with L3 as the source of truth; DELETE; an invalidate of all levels, of L1 and L2 only, and one that is
//! acknowledged before it has removed everything (a job). A fill: a miss, a load, and a PUT that is stored only where
//! nothing has touched the key since the miss. L3 as the source of truth, and L2 where L3 is switched off.
//!
//! Faults, as many as a [budget](faults::Budget) allows: a container killed between any two steps; one or all cut off
//! from Redis, also between a command and its reply; a flush, which is also a restart with nothing; a failover to a
//! replica that lags behind, of all of Redis, of the journal's node or of the copies'; eviction of the copy; the
//! journal trimmed to one record or none; more records of other keys than a sync reads, also so many that the index
//! beside the journal forgets what was before them; more invalidations than a container keeps; more outage notes than
//! are put into the journal one by one; more than 2T without an operation under way. A freeze is a container whose turn
//! does not come. With L2 as the source of truth nothing may be flushed or failed over to: that loses acknowledged
//! mutations.
//!
//! # What must hold
//!
//! [P1](properties::NEVER_STALE), [P2](properties::NEVER_RESURRECTED), [P3](properties::NEVER_LOST) and
//! [P7](properties::NEVER_PREFILLED), judged by the [history] of the source of truth. A read after a sync must respect
//! what was acknowledged before that sync; so Δ is zero. A read within the window, without a sync, may come at any
//! time, and must respect what was acknowledged before the container's last sync was sent, and by itself: that is what
//! a window of any length promises. A degraded mutation must be respected from when the outage notes were read, which
//! is Λ.
//!
//! # What is not modelled
//!
//! - Time. T is "an operation under way", 2T is [`faults::Fault::Age`], and V, the life of tombstones and expiry are
//!   longer than a run. Clocks do not differ; a version drawn without Redis is as old as it can be.
//! - Several keys, tags but in [`tags`], concurrent requests in one container, chunks, L2 switched off, levels switched
//!   on and off.
//! - L3 failing. It is asked until it answers.
//! - More tries of one operation than [`operation::MOST_TRIES`].
//! - Looking L1 over ahead of its readers. A copy waits for its reader with all that has come.
//! - Several containers at one job, and a job taken up again after a kill; which selectors mean no more than others.
//!
//! # Traces
//!
//! Schedules that broke earlier versions of the protocol, and where they are kept from coming back:
//!
//! | | schedule | covered by |
//! |---|---|---|
//! | 1 | a new container at the head with an empty window of recent changes | `traces::t01` |
//! | 2 | PUT ∥ PUT, different winners in L2 and L3 | `traces::t02` |
//! | 3 | PUT ∥ DELETE, a late copy after the tombstone | `traces::t03` |
//! | 4 | a slow invalidate removes a newer PUT | `traces::t04` |
//! | 5 | a PUT lands after an invalidate's scan, its writer killed | `traces::t05` |
//! | 6 | slow promotion ∥ invalidate | `traces::t06` |
//! | 7 | slow promotion ∥ DELETE, the newer copy evicted | `traces::t07` |
//! | 8 | an as-of position that includes what was not read yet | `traces::t08` |
//! | 9 | a newer PUT hides an older DELETE | `traces::t09`, unit tests of the window of recent changes |
//! | 10 | a writer killed between any two steps | `traces::t10`, `protocol` |
//! | 11 | a PUT to L1 and L2 while an older one to all is on its way | `traces::t11` |
//! | 12 | an invalidate of L1 and L2, then the copy of L3 refused for ever | `traces::t12` |
//! | 13 | a failover loses the tail; only the copies' node fails over | `traces::t13`, `protocol` |
//! | 14 | one container cut off, another that never notices | `traces::t14` |
//! | 15 | versions by a clock that is behind or ahead | no clocks here: unit tests of versions, and `degradation` in tests/it |
//! | 16 | the window of recent changes pruned in the middle of a request; a write delivered after a freeze | time: the scripts' tests |
//! | 17 | own L1 filled after losing to a DELETE | `traces::t17` |
//! | 18 | eventually consistent reads of L3 | `traces::t18` |
//! | 19 | relative expiry and counters that revive a deleted key | data types of Redis: tests of the scripts |
//!
//! Of doubt after a gap:
//!
//! | | schedule | covered by |
//! |---|---|---|
//! | D1 | a marker in L3 confirms a copy that was invalidated in L1 alone | not here: no invalidate of L1 alone is modelled |
//! | D2 | the row that an open invalidation means confirms a copy | `rules::l1_is_compared` |
//! | D3 | a copy is known as of a sync after L3 was read | `rules::doubt_ends` |
//! | D4 | a copy in L2 that nothing vouches for is trusted | `rules::the_index_is_asked` |
//! | D5 | the record of an older PUT comes last and hides a DELETE | `rules::the_index_keeps` |
//! | D6 | an index without invalidations | `rules::a_gap_brings` |
//! | D7 | what the index has forgotten passes for untouched | `rules::what_the_index_forgot` |
//!
//! Of fills, all in `fills`:
//!
//! | | schedule | without |
//! |---|---|---|
//! | B1 | the journal is read, then L3 written: an invalidation in between finds nothing to remove | [`Rule::FillClaims`](rule::Rule::FillClaims) |
//! | B3 | the claim has the version of the PUT: an invalidation of before passes it over | [`Rule::FillAtMiss`](rule::Rule::FillAtMiss) |
//! | B4 | the claim replaces whatever is older, such as a value put without Redis | [`Rule::FillAsSeen`](rule::Rule::FillAsSeen) |
//! | B5 | an invalidation without Redis is known by its note only | [`Rule::FillReadsNotes`](rule::Rule::FillReadsNotes) |
//! | B6 | its note becomes a record after the journal was read, and is gone when the notes are | [`Rule::FillNotesFirst`](rule::Rule::FillNotesFirst) |
//! | B7 | a failover loses the record | [`Rule::FillInEpoch`](rule::Rule::FillInEpoch) |
//! | B8 | the index has forgotten the record | [`Rule::FillInHistory`](rule::Rule::FillInHistory) |
//! | B9 | a DELETE of nothing leaves nothing that the claim would find | [`Rule::TombstoneOfNothing`](rule::Rule::TombstoneOfNothing) |
//! | B10 | an invalidation passes the claim over | [`Rule::ClaimsGo`](rule::Rule::ClaimsGo) |
//! | B11 | the notes are read, one is left and L3 swept, and only then the claim is there | [`Rule::WaitsForClaims`](rule::Rule::WaitsForClaims) |
//! | B12 | an invalidation without Redis sweeps L3 before anybody can know of it | [`Rule::NoteFirst`](rule::Rule::NoteFirst) |
//!
//! # Layout
//!
//! | file | what |
//! |---|---|
//! | [`state`], [`operation`], [`scenario`], [`rule`] | what there is, what is under way, what a run starts with, which rules hold |
//! | [`knowledge`] | which copies the journal lets a container trust |
//! | `run` | which step comes next |
//! | `begin`, `get`, `write`, `fill`, `invalidate`, `undo`, `notes`, `without_redis` | the steps |
//! | [`turn`], `levels`, `landing` | what the steps are made of: a sync, commands to Redis and DynamoDB, and when a mutation takes effect |
//! | [`faults`] | what goes wrong |
//! | [`history`], [`properties`], [`session`] | what must hold, also for who sends a position with a read |
//! | `canonical` | which states count as the same |
//! | [`tags`] | a model of its own: how an invalidation finds in L3 what has a tag |

pub mod faults;
pub mod history;
pub mod knowledge;
pub mod operation;
pub mod properties;
pub mod rule;
pub mod scenario;
pub mod session;
pub mod state;
pub mod tags;
pub mod turn;

mod begin;
mod canonical;
mod fill;
mod get;
mod invalidate;
mod landing;
mod levels;
mod notes;
mod run;
mod undo;
mod without_redis;
mod write;
