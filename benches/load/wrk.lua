-- Arguments: an id as it stands in the body, the first id to send, the body, then each header's name and value.
-- Every request gets an id of its own, as a session wants it; all have the same number of digits.
local head, tail, id

function init(args)
  wrk.method = "POST"
  wrk.body = args[3]
  for i = 4, #args, 2 do
    wrk.headers[args[i]] = args[i + 1]
  end
  local text = wrk.format()
  local first, last = text:find(args[1], 1, true)
  head, tail, id = text:sub(1, first - 1), text:sub(last + 1), tonumber(args[2])
end

function request()
  id = id + 1
  return head .. id .. tail
end

-- wrk's own report is for people; the driver reads this one line.
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"requests":%.0f,"bytes":%.0f,"microseconds":%.0f,"p50":%.0f,"p99":%.0f,"not_2xx":%.0f,"failed":%.0f}\n',
    summary.requests, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99), errors.status, failed))
end
