-- SPDX-License-Identifier: MIT
-- For compare_readers.py: reads cases (JSON lines), and prints what rspamd's parser makes of each;
-- the walk from one internal client to the next is done here. Run by `rspamadm lua -b`.
local ucl = require "ucl"
local rspamd_task = require "rspamd_task"
local rspamd_ip = require "rspamd_ip"

local function contains(networks, address)
  for _, network in ipairs(networks) do
    local base, bits = network:match("^(.*)/(%d+)$")
    local masked = address:apply_mask(tonumber(bits or 128))
    if masked and tostring(masked) == tostring(rspamd_ip.from_string(base or network)) then
      return true
    end
  end
  return false
end

local function outcome(case)
  local ok, task = rspamd_task.load_from_string(case.headers .. "\n\n", rspamd_config)
  if not ok or not task:process_message() then
    return "unparseable"
  end
  for _, field in ipairs(task:get_received_headers() or {}) do
    local address = field.real_ip or field.from_ip
    if type(address) == "string" then
      address = rspamd_ip.from_string(address)
    end
    if (field.flags or {}).authenticated then
      return "authenticated " .. tostring(address)
    elseif not address or not address:is_valid() then
      return "unparseable"
    elseif not contains(case.internal, address) then
      return "external " .. tostring(address)
    end
  end
  return "local-origin"
end

for line in io.lines(os.getenv("CASES")) do
  local parser = ucl.parser()
  parser:parse_string(line)
  print("=" .. outcome(parser:get_object()))
end
