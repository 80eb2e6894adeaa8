//! What the store does as one step: scripts, in the Lua that every Redis since 6.2 and every Valkey runs.
//!
//! Each gets as its first argument the moment until which it counts, in microseconds since 1970 by the store's clock. They
//! answer numbers: 1 and more for done, 0 for no, -1 for what is not there, -3 for no room.

use std::sync::LazyLock;

use ::redis::{RedisError, Script};

/// Said by a script that came too late, and did nothing.
const LATE: &str = "LATE";

/// Sets `now` (microseconds) and `ms` (milliseconds); `whole` writes a number without an exponent.
const PRELUDE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if now > tonumber(ARGV[1]) then return redis.error_reply('LATE it came too late') end
local ms = math.floor(now / 1000)
local function whole(number) return string.format('%.0f', number) end
local function keep(key, until_ms)
  local left = redis.call('PTTL', key)
  if left < until_ms - ms then redis.call('PEXPIREAT', key, whole(until_ms)) end
end
";

pub(crate) fn is_late(error: &RedisError) -> bool {
    error.code() == Some(LATE)
}

fn script(code: &str) -> Script {
    Script::new(&format!("{PRELUDE}{code}"))
}

/// KEYS: the nonce, what its caller used in this span of time, and in the one before. ARGV: its time to live in ms, the
/// most that the caller may have used.
pub(super) static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local found = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])
if found[1] then return 0 end
if (tonumber(found[2] or 0) or 0) + (tonumber(found[3] or 0) or 0) >= tonumber(ARGV[3]) then return -3 end
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[2]) then return 0 end
if redis.call('INCR', KEYS[2]) == 1 then redis.call('PEXPIRE', KEYS[2], whole(2 * ARGV[2])) end
return 1
",
    )
});

/// KEYS: the value, the index of its principal. ARGV: name, value, its time to live in ms, bytes, the most values, the
/// most bytes. The index has `EXPIRY:BYTES` for each name, and is written first: nothing is kept that is in no count.
pub(super) static SET: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local count, bytes = 0, 0
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local expiry, size = string.match(all[i + 1], '^(%d+):(%d+)')
  if not expiry or tonumber(expiry) <= ms then
    redis.call('HDEL', KEYS[2], all[i])
  elseif all[i] ~= ARGV[2] then
    count = count + 1
    bytes = bytes + tonumber(size)
  end
end
if count + 1 > tonumber(ARGV[6]) or bytes + ARGV[5] > tonumber(ARGV[7]) then return -3 end
redis.call('HSET', KEYS[2], ARGV[2], whole(ms + ARGV[4]) .. ':' .. ARGV[5])
keep(KEYS[2], ms + ARGV[4])
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
",
    )
});

/// KEYS: the value, the index of its principal. ARGV: name.
pub(super) static REMOVE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
redis.call('HDEL', KEYS[2], ARGV[2])
return redis.call('DEL', KEYS[1])
",
    )
});

/// KEYS: one for each budget, with the moment in microseconds at which it is full again (GCRA, ITU-T I.371). ARGV: for each
/// of them the time in microseconds in which a token comes back, the size of the bucket, and the tokens to take. Takes all
/// or none, and answers which one has too little (0 for none) and how many microseconds are to be waited.
pub(super) static SPEND: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local full = {}
for i = 1, #KEYS do
  local each, size, cost = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local at = math.max(now, tonumber(redis.call('GET', KEYS[i]) or 0) or 0)
  full[i] = at + each * cost
  local wait = full[i] - each * size - now
  if wait > 0 then return { i, math.ceil(wait) } end
end
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], whole(full[i]), 'PX', whole(math.ceil((full[i] - now) / 1000) + 1))
end
return { 0, 0 }
",
    )
});

/// What tasks their caller has: `EXPIRY:BYTES:ENDED` for each id, with the moment of the end or 0. Sets `count`, `bytes`,
/// and `ended`, those that have ended, the oldest first. `drop` drops the first of these; where its slot is about to move,
/// it may be at the next node already, and stays there until its time is over.
const HELD: &str = r"
local count, bytes, ended = 0, 0, {}
local function look(key)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local expiry, size, at = string.match(all[i + 1], '^(%d+):(%d+):(%d+)')
    if not expiry or tonumber(expiry) <= ms then
      redis.call('HDEL', key, all[i])
    else
      count = count + 1
      bytes = bytes + tonumber(size)
      if at ~= '0' then ended[#ended + 1] = { tonumber(at), all[i], tonumber(size) } end
    end
  end
  table.sort(ended, function(a, b) return a[1] < b[1] end)
end
local function drop(key, before, but)
  local oldest = table.remove(ended, 1)
  while oldest and oldest[2] == but do oldest = table.remove(ended, 1) end
  if not oldest then return false end
  redis.call('HDEL', key, oldest[2])
  redis.pcall('DEL', before .. oldest[2])
  count = count - 1
  bytes = bytes - oldest[3]
  return true
end
";

/// KEYS: the task, those of its caller. ARGV: id, version, record, time to live in ms, bytes, the most tasks, what the keys
/// of tasks begin with, the name of the caller, the process that works on it.
pub(crate) static CREATE_TASK: LazyLock<Script> = LazyLock::new(|| {
    script(&format!(
        r"{HELD}
if redis.call('HEXISTS', KEYS[1], 'version') == 1 then return 0 end
look(KEYS[2])
while count >= tonumber(ARGV[7]) do
  if not drop(KEYS[2], ARGV[8], ARGV[2]) then return -3 end
end
local expiry = ms + ARGV[5]
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'record', ARGV[4], 'created', whole(ms), 'caller', ARGV[9], 'worker', ARGV[10])
redis.call('PEXPIREAT', KEYS[1], whole(expiry))
redis.call('HSET', KEYS[2], ARGV[2], whole(expiry) .. ':' .. ARGV[6] .. ':0')
keep(KEYS[2], expiry)
return 1
"
    ))
});

/// KEYS: the task, those of its caller. ARGV: id, the version that it was changed from, the version that it has now, record,
/// time to live from its creation in ms, bytes, how many more these are (0 if it must not be refused), the most bytes,
/// whether it has ended, what the keys of tasks begin with, the channel of the replicas, and what they are told there: that
/// the task has changed, unless the user may not publish. Answers 0 when somebody else has changed it.
pub(crate) static CHANGE_TASK: LazyLock<Script> = LazyLock::new(|| {
    script(&format!(
        r"{HELD}
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return -1 end
if version ~= ARGV[3] then return 0 end
local more = tonumber(ARGV[8])
if more > 0 then
  look(KEYS[2])
  while bytes + more > tonumber(ARGV[9]) do
    if not drop(KEYS[2], ARGV[11], ARGV[2]) then return -3 end
  end
end
local expiry = redis.call('HGET', KEYS[1], 'created') + ARGV[6]
local at = '0'
if ARGV[10] == '1' then at = whole(ms) end
redis.call('HSET', KEYS[1], 'version', ARGV[4], 'record', ARGV[5])
redis.call('PEXPIREAT', KEYS[1], whole(expiry))
redis.call('HSET', KEYS[2], ARGV[2], whole(expiry) .. ':' .. ARGV[7] .. ':' .. at)
keep(KEYS[2], expiry)
redis.pcall('PUBLISH', ARGV[12], ARGV[13])
return 1
"
    ))
});

/// KEYS: a log that every replica reads. ARGV: how many entries are kept, when the last of these would end anyway in ms, the
/// name of their field, and the entries.
pub(super) static LOG: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
for i = 5, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', ARGV[4], ARGV[i])
end
keep(KEYS[1], tonumber(ARGV[3]))
return 1
",
    )
});

/// KEYS: the log of a response. ARGV: its time to live in ms, the id of the first event that is kept, and for each event its
/// id, kind and message. An event that is there already is passed over. Answers 0 when those before are gone.
pub(super) static APPEND: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local at = last and tonumber(string.match(last[1], '^%d+')) or 0
if at == 0 and (not ARGV[4] or ARGV[4] ~= ARGV[3]) then return 0 end
for i = 4, #ARGV, 3 do
  if tonumber(string.match(ARGV[i], '^%d+')) > at then
    redis.call('XADD', KEYS[1], ARGV[i], ARGV[i + 1], ARGV[i + 2])
  end
end
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
",
    )
});

/// KEYS: what is forgotten.
pub(super) static FORGET: LazyLock<Script> =
    LazyLock::new(|| script("return redis.call('UNLINK', KEYS[1])"));

/// KEYS: the replicas. ARGV: this process, the time in microseconds after which one that says nothing is not counted, and
/// after which it is gone, and how many to name. Answers how many there are, 1 if this one was not in the list, and those that
/// are not counted and not gone.
pub(super) static REPLICAS: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - ARGV[4]))
local added = redis.call('ZADD', KEYS[1], whole(now), ARGV[2])
redis.call('PEXPIRE', KEYS[1], whole(ARGV[4] / 1000))
local silent = whole(now - ARGV[3])
return {
  redis.call('ZCOUNT', KEYS[1], silent, '+inf'),
  added,
  redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. silent, 'LIMIT', 0, ARGV[5])
}
",
    )
});
